"""Silences: made, changed, ended, and what one would hush now. Alerts follow a change in the background, one by one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import func, select

from backend.core import clock, queue
from backend.core.database import db, system_scope, workspace_scope
from backend.core.errors import Conflict, Invalid, NotFound
from backend.models import Alert, AlertItem, AlertSilence
from backend.services import paging
from backend.services.alerts import cases, checking, history, matching, saying, telling
from backend.services.alerts.history import By
from backend.services.alerts.matching import VisibleLabels
from backend.services.auth import audit

MOST: Final = 200
"""Silences of a workspace that are not over."""
LONGEST: Final = timedelta(days=366)
_SHOWN: Final = 50
_PAST: Final = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Preview:
    """What matchers would hush: alerts that fall silent as a whole, things, and what is left untouched."""

    alerts: list[Alert]
    alert_count: int
    item_count: int
    untouched_count: int
    last_week_count: int


def get(silence_id: int) -> AlertSilence:
    """A silence of the workspace in scope. Raises NotFound."""
    found = db.session.get(AlertSilence, silence_id)
    if found is None:
        raise NotFound("silence_not_found", "There is no such silence.")
    return found


def listing(*, state: str | None, cursor: str | None, limit: int) -> tuple[list[AlertSilence], str | None]:
    """The workspace's silences, the newest first; `state` is active, pending or expired."""
    query, now = select(AlertSilence), clock.now()
    if state == "active":
        query = query.where(AlertSilence.starts_at <= now, AlertSilence.ends_at > now)
    elif state == "pending":
        query = query.where(AlertSilence.starts_at > now, AlertSilence.ends_at > now)
    elif state == "expired":
        query = query.where(AlertSilence.ends_at <= now)
    return paging.page(query, AlertSilence.id, cursor=cursor, limit=limit)


def state_of(silence: AlertSilence) -> str:
    """`active`, `pending` or `expired`."""
    now = clock.now()
    if silence.ends_at <= now:
        return "expired"
    return "pending" if silence.starts_at > now else "active"


def hushing(found: Sequence[AlertSilence]) -> dict[int, int]:
    """How many things each of these silences hushes now."""
    query = (
        select(AlertItem.silence_id, func.count())
        .where(AlertItem.silence_id.in_([one.id for one in found]))
        .where(AlertItem.resolved_at.is_(None), AlertItem.silenced_until > clock.now())
        .group_by(AlertItem.silence_id)
    )
    return {int(row[0] or 0): int(row[1]) for row in db.session.execute(query)}


def make(
    by: By, matchers: Sequence[Mapping[str, str]], starts_at: datetime, ends_at: datetime, *, comment: str | None
) -> AlertSilence:
    """Adds a silence. Raises Invalid (`past_date` and the faults of matchers), Conflict(`too_many_silences`)."""
    _check(matchers, starts_at, ends_at)
    now = clock.now()
    live = select(func.count()).select_from(AlertSilence).where(AlertSilence.ends_at > now)
    if db.session.execute(live).scalar_one() >= MOST:
        raise Conflict("too_many_silences", f"A workspace has at most {MOST} silences that are not over.")
    made = AlertSilence(
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
    db.session.add(made)
    db.session.flush()
    audit.record(by.label, "alert_silence.created", f"alert_silence:{made.id}", ends_at=ends_at.isoformat())
    queue.wake("notifications")
    return made


def change(by: By, silence_id: int, fields: Mapping[str, Any]) -> AlertSilence:
    """Changes matchers, times or comment; what is over can be renewed. Raises NotFound, Invalid."""
    found = get(silence_id)
    wanted = {name: getattr(found, name) for name in ("matchers", "starts_at", "ends_at", "comment")} | dict(fields)
    _check(wanted["matchers"], wanted["starts_at"], wanted["ends_at"])
    found.matchers, found.comment = _plain(wanted["matchers"]), wanted["comment"]
    found.starts_at, found.ends_at = wanted["starts_at"], wanted["ends_at"]
    _changed(by, found, "changed", fields=sorted(fields))
    return found


def end(by: By, silence_id: int) -> AlertSilence:
    """Ends a silence now; it stays in the list. Ending it again changes nothing. Raises NotFound."""
    found, now = get(silence_id), clock.now()
    if found.ends_at > now:
        found.ends_at = now
        found.starts_at = min(found.starts_at, now)
        _changed(by, found, "ended")
    return found


def preview(matchers: Sequence[Mapping[str, str]]) -> Preview:
    """What these matchers would hush now, and how much of the last seven days. Changes nothing. Raises Invalid."""
    faults = checking.matcher_faults(matchers)
    if faults:
        raise Invalid(detail=faults)
    rules, now = matching.read(matchers), clock.now()
    hit: dict[int, int] = {}
    firing: dict[int, int] = {}
    for item, labels in _items(AlertItem.resolved_at.is_(None), Alert.resolved_at.is_(None)):
        firing[item.alert_id] = firing.get(item.alert_id, 0) + 1
        if matching.matches(rules, labels):
            hit[item.alert_id] = hit.get(item.alert_id, 0) + 1
    whole = [alert_id for alert_id, count in hit.items() if count == firing[alert_id]]
    week = sum(matching.matches(rules, labels) for _, labels in _items(AlertItem.last_seen_at > now - _PAST))
    shown = db.session.scalars(select(Alert).where(Alert.id.in_(whole[:_SHOWN])).order_by(Alert.id.desc())).all()
    return Preview(list(shown), len(whole), sum(hit.values()), sum(firing.values()) - sum(hit.values()), week)


def waiting() -> bool:
    """Whether alerts have still to follow a silence."""
    return db.session.execute(_unapplied().with_only_columns(AlertSilence.id).limit(1)).first() is not None


def apply() -> int:
    """Brings the alerts that a new or changed silence concerns in step with it, each in a transaction of its own.

    Returns how many silences. Commits. A crash leaves a silence to be applied again, which is harmless.
    """
    with system_scope("silences of all workspaces are applied here"):
        found = [(row.id, row.workspace_id) for row in db.session.scalars(_unapplied().limit(20))]
        db.session.rollback()
    for silence_id, workspace_id in found:
        with workspace_scope(workspace_id):
            _apply(silence_id)
    return len(found)


def _apply(silence_id: int) -> None:
    silence = get(silence_id)
    seen, rules = silence.updated_at, matching.read(silence.matchers)
    concerned = {
        item.alert_id
        for item, labels in _items(AlertItem.resolved_at.is_(None), Alert.resolved_at.is_(None))
        if item.silence_id == silence_id or matching.matches(rules, labels)
    }
    db.session.commit()
    for alert_id in sorted(concerned):
        case = cases.by_id(alert_id)
        was = case.alert.silenced_until
        case.look_at_silences()
        if case.alert.silenced_until != was:
            history.note(case.alert, "silenced" if case.alert.silenced_until else "unsilenced")
            saying.bring_up_to_date(case)
            if case.alert.silenced_until is None and case.alert.state == "firing" and was is not None:
                telling.tell(case, "unsilence" if case.alert.notifications else None)
        case.reschedule()
        db.session.commit()
    done = db.session.get(AlertSilence, silence_id, with_for_update=True, populate_existing=True)
    if done is not None and done.updated_at == seen:
        done.applied_at = clock.now()
    db.session.commit()


def _changed(by: By, silence: AlertSilence, what: str, **detail: Any) -> None:
    silence.updated_at, silence.applied_at = clock.now(), None
    db.session.flush()
    audit.record(by.label, f"alert_silence.{what}", f"alert_silence:{silence.id}", **detail)
    queue.wake("notifications")


def _unapplied() -> Any:
    return select(AlertSilence).where(AlertSilence.applied_at.is_(None)).order_by(AlertSilence.id)


def _items(*which: Any) -> Iterable[tuple[AlertItem, VisibleLabels]]:
    """Items with their complete labels."""
    query = select(AlertItem, Alert.bot_name, Alert.group_key).join(Alert, Alert.id == AlertItem.alert_id).where(*which)
    rows = db.session.execute(query.order_by(AlertItem.id))
    return ((row[0], cases.seen_labels(row[0], row[1], row[2])) for row in rows)


def _plain(matchers: Sequence[Mapping[str, str]]) -> list[dict[str, str]]:
    return [{"label": one["label"], "op": one["op"], "value": one["value"]} for one in matchers]


def _check(matchers: Sequence[Mapping[str, str]], starts_at: datetime, ends_at: datetime) -> None:
    faults = checking.matcher_faults(matchers)
    if ends_at <= clock.now():
        faults.append(checking.fault("ends_at", "past_date", "The end lies in the past."))
    elif ends_at <= starts_at:
        faults.append(checking.fault("ends_at", "ends_before_start", "It ends before it begins."))
    elif ends_at - starts_at > LONGEST:
        faults.append(checking.fault("ends_at", "too_long", "A silence lasts a year at most."))
    if faults:
        raise Invalid(detail=faults)
