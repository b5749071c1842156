"""A workspace's scheduled messages: planned, changed, removed, sent now.

Whom a message goes to is found out when it is planned, so that a mistake shows at once, and again each time it is said.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import Select, and_, func, select

from backend.core import clock
from backend.core.database import current_workspace_id, db
from backend.core.errors import Invalid, NotFound
from backend.models import Schedule, ScheduledMessage, ScheduleFire
from backend.services import caps, paging, scheduling
from backend.services.auth import audit
from backend.services.auth.attribution import Attribution
from backend.services.scheduled_messages import contents
from backend.services.scheduled_messages.sending import JOB, chat_ids_of, target_of
from backend.services.scheduling import Timing, schedules, timing

_TIMING: Final = ("kind", "cron", "interval_seconds", "run_at", "timezone")


@dataclass(frozen=True, slots=True)
class Planned:
    """A message with its schedule."""

    message: ScheduledMessage
    schedule: Schedule


def create(by: Attribution, fields: Mapping[str, Any]) -> Planned:
    """Plans a message in the workspace in scope.

    `fields`: `bot_name` (None: the default bot), `chat_ids` (None: the bot's own), one of `message`, `alert`, `photo`
    and `document`, `kind`, `cron`, `interval_seconds`, `run_at` (without an offset: local in `timezone`), `timezone`,
    `enabled`. Raises Conflict (`too_many_scheduled_messages`), and NotFound, Conflict and Invalid as
    `bots.resolution.resolve`, `scheduling.check` and `contents.check` do.
    """
    workspace_id = current_workspace_id()
    assert workspace_id is not None
    planned = _timing(fields, Timing(fields["kind"]))
    scheduling.check(planned, clock.now())
    caps.require_room("scheduled_messages", select(func.count()).select_from(ScheduledMessage))
    now = clock.now()
    content = contents.required(fields)
    message = ScheduledMessage(
        workspace_id=workspace_id, bot_name=fields.get("bot_name"), created_at=now, updated_at=now
    )
    contents.put(message, content)
    _set_chats(message, fields.get("chat_ids"))
    _check(message)
    db.session.add(message)
    db.session.flush()
    schedule = scheduling.create(workspace_id, JOB, message.id, planned, enabled=fields.get("enabled", True))
    audit.record(by, "scheduled_message.created", f"scheduled_message:{message.id}", kind=planned.kind)
    return Planned(message, schedule)


def coming(fields: Mapping[str, Any], count: int = 3) -> list[datetime]:
    """When a message with this timing would be said next, the first `count` times; nothing is stored.

    `fields` and what it raises as for `create`, as far as they are about time.
    """
    now = clock.now()
    planned = _timing(fields, Timing(fields["kind"]))
    scheduling.check(planned, now)
    if planned.kind == "interval" and planned.run_at is None:
        planned = replace(planned, run_at=now)
    return scheduling.next_fires(planned, now, count)


def get(message_id: int) -> Planned:
    """A message of the workspace in scope. Raises NotFound."""
    row = db.session.execute(_query().where(ScheduledMessage.id == message_id)).first()
    if row is None:
        raise NotFound()
    return Planned(row[0], row[1])


def listing(*, cursor: str | None = None, limit: int = paging.DEFAULT_LIMIT) -> tuple[list[Planned], str | None]:
    """The workspace's messages, the newest first."""
    rows, following = paging.page(_query(), ScheduledMessage.id, cursor=cursor, limit=limit)
    return [Planned(row[0], row[1]) for row in rows], following


def change(by: Attribution, message_id: int, fields: Mapping[str, Any]) -> Planned:
    """Changes the fields that are given (see `create`), from now on. Raises as `create` does, and NotFound.

    Another `kind` forgets the timing of the one before. What has been stored for sending already is said as it is.
    """
    planned = get(message_id)
    message, schedule = planned.message, planned.schedule
    content = contents.given(fields)
    if content is not None:
        contents.put(message, content)
    message.bot_name = fields.get("bot_name", message.bot_name)
    if "chat_ids" in fields:
        _set_chats(message, fields["chat_ids"])
    if {"bot_name", "chat_ids"} & fields.keys() or content is not None:
        _check(message)
    if fields.keys() & set(_TIMING):
        scheduling.change(schedule, _timing(fields, schedules.timing_of(schedule)))
    if "enabled" in fields:
        (scheduling.resume if fields["enabled"] else scheduling.pause)(schedule)
    message.updated_at = clock.now()
    audit.record(by, "scheduled_message.changed", f"scheduled_message:{message.id}", fields=sorted(fields))
    db.session.flush()
    return planned


def remove(by: Attribution, message_id: int) -> None:
    """Takes a message back, with its history. What was stored for sending is still sent. Raises NotFound."""
    planned = get(message_id)
    scheduling.remove(planned.schedule)
    db.session.delete(planned.message)
    audit.record(by, "scheduled_message.deleted", f"scheduled_message:{message_id}")
    db.session.flush()


def run_now(by: Attribution, message_id: int) -> ScheduleFire:
    """Sends a message now, also one that is off; its next time stays. Raises NotFound, Conflict and Invalid."""
    planned = get(message_id)
    _check(planned.message)
    fire = scheduling.run_now(planned.schedule, by)
    audit.record(by, "scheduled_message.run", f"scheduled_message:{message_id}")
    db.session.flush()
    return fire


def _check(message: ScheduledMessage) -> None:
    """Raises what would keep the message from being sent now."""
    chats = chat_ids_of(message)
    if contents.of(message).kind != "alert":
        target_of(message)
    contents.check(message, chats)


def _query() -> Select[Any]:
    of = and_(Schedule.job == JOB, Schedule.subject_id == ScheduledMessage.id)
    query: Select[Any] = select(ScheduledMessage, Schedule).join(Schedule, of)  # type: ignore[assignment]  # a row of two
    return query


def _set_chats(message: ScheduledMessage, chat_ids: list[str] | None) -> None:
    if chat_ids is not None and not chat_ids:
        text = "Name a chat, or leave the list out for the bot's own chats."
        raise Invalid.of("chat_ids", "no_chats", text)
    message.chat_list = None if chat_ids is None else json.dumps(chat_ids)


def _timing(fields: Mapping[str, Any], before: Timing) -> Timing:
    """The timing with the fields that are given; those that its kind has no use for are None."""
    kind = fields.get("kind", before.kind)
    zone = fields.get("timezone", before.timezone)
    kept = before if kind == before.kind else Timing(kind)
    fields_given = {name: fields[name] for name in ("cron", "interval_seconds", "run_at") if name in fields}
    timing = replace(kept, **fields_given, timezone=zone)
    return replace(
        timing,
        cron=timing.cron if kind == "cron" else None,
        interval_seconds=timing.interval_seconds if kind == "interval" else None,
        run_at=None if kind == "cron" else _moment(timing.run_at, zone),
    )


def _moment(value: datetime | None, zone: str) -> datetime | None:
    """A moment in UTC; a time without an offset is local. Raises Invalid for what no clock shows."""
    if value is None:
        return None
    try:
        return value.astimezone(UTC) if value.tzinfo is not None else timing.instant(value, timing.zone_of(zone))
    except OverflowError:
        text = "This moment is too far away."
        raise Invalid.of("run_at", "date_too_far", text) from None
    except ValueError:
        text = "This is not the name of a time zone."
        raise Invalid.of("timezone", "unknown_timezone", text) from None
