"""Silences: made, changed, ended. Alerts that fire already follow in the background (`silence_application`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import func, select

from backend.core import clock, queue
from backend.core.database import db
from backend.core.errors import Invalid, NotFound, field_error
from backend.models import AlertItem, AlertSilence
from backend.services import caps, paging
from backend.services.alerts.rules import faults as rule_faults
from backend.services.alerts.rules import validation
from backend.services.auth import audit
from backend.services.auth.attribution import Attribution

LONGEST: Final = timedelta(days=366)


def get(silence_id: int) -> AlertSilence:
    """A silence of the workspace in scope. Raises NotFound."""
    silence = db.session.get(AlertSilence, silence_id)
    if silence is None:
        raise NotFound("silence_not_found", "There is no such silence.")
    return silence


def listing(*, state: str | None, cursor: str | None, limit: int) -> tuple[list[AlertSilence], str | None]:
    """The workspace's silences, the newest first; `state` is active, pending, disabled or expired."""
    query, now, works = select(AlertSilence), clock.now(), AlertSilence.disabled_code.is_(None)
    if state == "active":
        query = query.where(AlertSilence.starts_at <= now, AlertSilence.ends_at > now, works)
    elif state == "pending":
        query = query.where(AlertSilence.starts_at > now, AlertSilence.ends_at > now, works)
    elif state == "disabled":
        query = query.where(AlertSilence.ends_at > now, AlertSilence.disabled_code.is_not(None))
    elif state == "expired":
        query = query.where(AlertSilence.ends_at <= now)
    return paging.page(query, AlertSilence.id, cursor=cursor, limit=limit)


def state_of(silence: AlertSilence) -> str:
    """`active`, `pending`, `expired`, or `disabled`: switched off by itself, `disabled_code` says why."""
    now = clock.now()
    if silence.ends_at <= now:
        return "expired"
    if silence.disabled_code is not None:
        return "disabled"
    return "pending" if silence.starts_at > now else "active"


def silencing_now(silences: Sequence[AlertSilence]) -> dict[int, int]:
    """How many things each of these silences silences now."""
    query = (
        select(AlertItem.silence_id, func.count())
        .where(AlertItem.silence_id.in_([silence.id for silence in silences]))
        .where(AlertItem.resolved_at.is_(None), AlertItem.silenced_until > clock.now())
        .group_by(AlertItem.silence_id)
    )
    return {int(row[0] or 0): int(row[1]) for row in db.session.execute(query)}


def make(
    by: Attribution,
    matchers: Sequence[Mapping[str, str]],
    starts_at: datetime,
    ends_at: datetime,
    *,
    comment: str | None,
) -> AlertSilence:
    """Adds a silence. Raises Invalid (`past_date` and the faults of matchers), Conflict(`too_many_silences`)."""
    _check(matchers, starts_at, ends_at)
    now = clock.now()
    live = select(func.count()).select_from(AlertSilence).where(AlertSilence.ends_at > now)
    caps.require_room("silences", live)
    silence = AlertSilence(
        matchers=_plain(matchers),
        starts_at=starts_at,
        ends_at=ends_at,
        comment=comment,
        by_user_id=by.user_id,
        by_name=by.name,
        hushed=0,
        created_at=now,
        updated_at=now,
    )
    db.session.add(silence)
    db.session.flush()
    audit.record(by, "alert_silence.created", f"alert_silence:{silence.id}", ends_at=ends_at.isoformat())
    queue.wake("notifications")
    return silence


def change(by: Attribution, silence_id: int, fields: Mapping[str, Any]) -> AlertSilence:
    """Changes matchers, times or comment; what is over can be renewed. Raises NotFound, Invalid."""
    silence = get(silence_id)
    wanted = {name: getattr(silence, name) for name in ("matchers", "starts_at", "ends_at", "comment")} | dict(fields)
    _check(wanted["matchers"], wanted["starts_at"], wanted["ends_at"])
    silence.matchers, silence.comment = _plain(wanted["matchers"]), wanted["comment"]
    silence.starts_at, silence.ends_at = wanted["starts_at"], wanted["ends_at"]
    rule_faults.forgive(silence)
    _changed(by, silence, "changed", fields=sorted(fields))
    return silence


def end(by: Attribution, silence_id: int) -> AlertSilence:
    """Ends a silence now; it stays in the list. Ending it again changes nothing. Raises NotFound."""
    silence, now = get(silence_id), clock.now()
    if silence.ends_at > now:
        silence.ends_at = now
        silence.starts_at = min(silence.starts_at, now)
        rule_faults.forgive(silence)
        _changed(by, silence, "ended")
    return silence


def _changed(by: Attribution, silence: AlertSilence, what: str, **detail: Any) -> None:
    silence.updated_at = clock.now()
    rule_faults.apply_anew(silence)
    db.session.flush()
    audit.record(by, f"alert_silence.{what}", f"alert_silence:{silence.id}", **detail)
    queue.wake("notifications")


def _plain(matchers: Sequence[Mapping[str, str]]) -> list[dict[str, str]]:
    return [{"label": matcher["label"], "op": matcher["op"], "value": matcher["value"]} for matcher in matchers]


def _check(matchers: Sequence[Mapping[str, str]], starts_at: datetime, ends_at: datetime) -> None:
    faults = validation.matcher_faults(matchers)
    if ends_at <= clock.now():
        faults.append(field_error("ends_at", "past_date", "The end lies in the past."))
    elif ends_at <= starts_at:
        faults.append(field_error("ends_at", "ends_before_start", "It ends before it begins."))
    elif ends_at - starts_at > LONGEST:
        faults.append(field_error("ends_at", "too_long", "A silence lasts a year at most."))
    if faults:
        raise Invalid.of_fields(faults)
