"""How fast a workspace means to answer, when it is there, and what it says while it is not."""

from __future__ import annotations

from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sqlalchemy import update
from sqlalchemy.dialects.postgresql import insert

from backend.core import clock
from backend.core.database import db, workspace_id_in_scope
from backend.core.errors import Invalid
from backend.models import Conversation, InboxSettings
from backend.services.auth import audit
from backend.services.auth.attribution import Attribution
from backend.services.inbox.working_hours import DAYS, BadHours, WorkingHours

MAX_MINUTES: Final = 10_080
"""A week."""
MAX_AWAY_TEXT: Final = 1000
_MAX_INTERVALS: Final = 6
_FIELDS: Final = ("first_response_minutes", "next_response_minutes", "working_hours", "away_text", "timezone")
_COUNTED: Final = frozenset(_FIELDS) - {"away_text"}
_HINTS: Final = {
    "bad_time": "A time is of the form 09:00; the last of a day is 24:00.",
    "bad_order": "Hours begin before they end.",
    "overlap": "Hours of a day do not overlap.",
}


def get() -> InboxSettings:
    """The settings of the workspace in scope; empty ones, not stored, where nothing was set."""
    stored = db.session.get(InboxSettings, workspace_id_in_scope())
    return stored or InboxSettings(workspace_id=workspace_id_in_scope(), updated_at=clock.now())


def hours_of(stored: InboxSettings) -> WorkingHours | None:
    """The working hours; None where people always answer."""
    return WorkingHours.of(stored.working_hours, stored.timezone)


def change(by: Attribution, given: dict[str, Any]) -> InboxSettings:
    """Changes these fields; None takes one away. Timers that run are counted again. Raises Invalid."""
    changes: dict[str, Any] = {name: given[name] for name in _FIELDS if name in given}
    _check(changes)
    workspace_id, now = workspace_id_in_scope(), clock.now()
    statement = insert(InboxSettings).values(workspace_id=workspace_id, updated_at=now)
    db.session.execute(statement.on_conflict_do_nothing())
    stored = db.session.get_one(InboxSettings, workspace_id, with_for_update=True, populate_existing=True)
    for name, value in changes.items():
        setattr(stored, name, value)
    stored.updated_at = now
    db.session.flush()
    if _COUNTED & changes.keys():
        # What waits is followed again, by the new aims.
        db.session.execute(
            update(Conversation)
            .where(Conversation.in_inbox, Conversation.waiting_since.is_not(None))
            .values(followed_message_id=None, sla_since=None, sla_due_at=None, sla_kind=None)
            .execution_options(synchronize_session=False)
        )
    audit.record(by, "inbox.settings_changed", None, fields=sorted(changes))
    return stored


def _check(changes: dict[str, Any]) -> None:
    zone = changes.get("timezone")
    if zone is not None:
        try:
            ZoneInfo(zone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise Invalid.of("timezone", "unknown_timezone", "There is no such time zone.") from None
    hours = changes.get("working_hours")
    if hours:
        for day, intervals in hours.items():
            if day not in DAYS:
                raise Invalid.of(f"working_hours.{day}", "unknown_day", f"The days are {', '.join(DAYS)}.")
            if len(intervals) > _MAX_INTERVALS:
                raise Invalid.of(f"working_hours.{day}", "too_many", f"A day has at most {_MAX_INTERVALS} intervals.")
        try:
            WorkingHours.of(hours, zone)
        except BadHours as fault:
            raise Invalid.of(f"working_hours.{fault.day}", fault.code, _HINTS[fault.code]) from None
