"""What a person wants to be told, and when. Locale and zone are the person's own, kept with their account."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, time, tzinfo
from functools import cache
from typing import Any, Final
from zoneinfo import ZoneInfo, available_timezones

from sqlalchemy import bindparam, func, select
from sqlalchemy.dialects.postgresql import insert

from backend.core import clock, i18n
from backend.core.database import db, system_scope
from backend.core.errors import Invalid, field_error
from backend.models import NotificationSettings, NotificationType, User
from backend.services.auth import audit
from backend.services.auth.attribution import Attribution
from backend.services.notifications import known_types
from backend.services.notifications.decision import DeliveryPreferences
from backend.services.texts.quiet_hours import QuietHours

DEFAULT_SUMMARY_AT = "09:00"


_SETTINGS: Final = (
    select(
        NotificationSettings,
        func.array(
            select(NotificationType.name)
            .where(NotificationType.workspace_id == bindparam("workspace"))
            .order_by(NotificationType.name)
            .scalar_subquery()
        ),
    )
    .select_from(User)
    .outerjoin(
        NotificationSettings,
        (NotificationSettings.user_id == User.id) & (NotificationSettings.workspace_id == User.workspace_id),
    )
    .where(User.id == bindparam("user"), User.workspace_id == bindparam("workspace"))
)
"""A person's settings, and the names of their workspace's own types."""


@dataclass(frozen=True, slots=True)
class Preferences:
    """A person's settings, complete: `types` names every type there is. Times of day are local, "HH:MM"."""

    locale: str
    timezone: str
    daily_summary_at: str
    daily_summary_when_empty: bool
    quiet_hours: dict[str, str] | None
    types: dict[str, bool]


def preferences_of(user: User) -> Preferences:
    """The person's settings, defaults where they never chose. Runs in the workspace's scope."""
    values = {"user": user.id, "workspace": user.workspace_id}
    with system_scope("the statement names the workspace itself"):
        row, own_types = db.session.execute(_SETTINGS, values).one()
    defaults = known_types.defaults_with(own_types)
    chosen = row.types if row else {}
    quiet = {"start": row.quiet_start, "end": row.quiet_end} if row and row.quiet_start and row.quiet_end else None
    return Preferences(
        locale=user.locale,
        timezone=user.timezone,
        daily_summary_at=row.daily_summary_at if row else DEFAULT_SUMMARY_AT,
        daily_summary_when_empty=row.daily_summary_when_empty if row else False,
        quiet_hours=quiet,
        types={name: bool(chosen.get(name, default)) for name, default in defaults.items()},
    )


def change(by: Attribution, user: User, changes: Mapping[str, Any]) -> Preferences:
    """Changes the fields that are named and leaves the others; all or nothing.

    `types` is merged; `quiet_hours` None turns them off. Raises Invalid with the field at fault.
    """
    _check(changes)
    row = _locked(user)
    if "locale" in changes:
        user.locale = changes["locale"]
    if "timezone" in changes:
        user.timezone = changes["timezone"]
    if "daily_summary_at" in changes:
        row.daily_summary_at = changes["daily_summary_at"]
    if "daily_summary_when_empty" in changes:
        row.daily_summary_when_empty = changes["daily_summary_when_empty"]
    if "quiet_hours" in changes:
        quiet = changes["quiet_hours"] or {}
        row.quiet_start, row.quiet_end = quiet.get("start"), quiet.get("end")
    if changes.get("types"):
        row.types = row.types | changes["types"]
    row.updated_at = clock.now()
    db.session.flush()
    audit.record(by, "notification_settings.changed", f"user:{user.id}", fields=sorted(changes))
    return preferences_of(user)


def switch(by: Attribution, user: User, type_name: str, *, on: bool) -> None:
    """Turns one type on or off, whatever it is called: it may have been deleted since the button was sent."""
    row = _locked(user)
    row.types = row.types | {type_name: on}
    row.updated_at = clock.now()
    db.session.flush()
    action = "notification_type.unmuted" if on else "notification_type.muted"
    audit.record(by, action, f"user:{user.id}", type=type_name)


def delivery_preferences_of(user: User, type_name: str) -> DeliveryPreferences:
    """What the person wants concerning one type."""
    return delivery_preferences(db.session.get(NotificationSettings, user.id), user, type_name)


def delivery_preferences(row: NotificationSettings | None, user: User, type_name: str) -> DeliveryPreferences:
    """What the person with these settings wants concerning one type."""
    chosen = row.types if row else {}
    quiet = None
    if row and row.quiet_start and row.quiet_end:
        quiet = QuietHours(time.fromisoformat(row.quiet_start), time.fromisoformat(row.quiet_end))
    on = chosen.get(type_name, known_types.SUBSCRIPTIONS.get(type_name, True))
    return DeliveryPreferences(muted=not on, quiet=quiet, zone=zone_of(user.timezone))


def zone_of(name: str) -> tzinfo:
    """The zone of that name; UTC for one that the zone database no longer has."""
    return ZoneInfo(name) if is_zone(name) else UTC


def is_zone(name: str) -> bool:
    """Whether this is the name of an IANA zone."""
    return name in _zones()


def zones() -> list[str]:
    """The names of all IANA zones, in order."""
    return sorted(_zones())


@cache
def _zones() -> frozenset[str]:
    # These two are files beside the zones, not zones of the database.
    return frozenset(available_timezones() - {"Factory", "localtime"})


def _check(changes: Mapping[str, Any]) -> None:
    faults = []
    if "locale" in changes and changes["locale"] not in i18n.LOCALES:
        faults.append(field_error("locale", "unknown_locale", f"One of {', '.join(i18n.LOCALES)}."))
    if "timezone" in changes and not is_zone(changes["timezone"]):
        faults.append(field_error("timezone", "unknown_timezone", "Not the name of an IANA time zone."))
    quiet = changes.get("quiet_hours")
    if quiet and quiet["start"] == quiet["end"]:
        faults.append(
            field_error("quiet_hours.end", "quiet_hours_empty", "Quiet hours begin and end at different times.")
        )
    if changes.get("types"):
        unknown = sorted(changes["types"].keys() - known_types.defaults().keys())
        faults += [
            field_error(f"types.{name}", "unknown_event_type", "There is no such event type.") for name in unknown
        ]
    if faults:
        raise Invalid.of_fields(faults)


def _locked(user: User) -> NotificationSettings:
    """The person's row, made if there is none, locked until the transaction ends."""
    statement = insert(NotificationSettings).values(
        workspace_id=user.workspace_id, user_id=user.id, types={}, updated_at=clock.now()
    )
    db.session.execute(statement.on_conflict_do_nothing())
    row: NotificationSettings = db.session.get_one(
        NotificationSettings, user.id, with_for_update=True, populate_existing=True
    )
    return row
