"""Which types there are: the built-in ones, what a person can switch besides, and a workspace's own."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from sqlalchemy import select

from backend.core import i18n
from backend.core.database import db
from backend.core.errors import Invalid
from backend.models import NotificationType
from backend.services.notifications import texts

BUILT_IN: Final = texts.BUILT_IN
SUBSCRIPTIONS: Final[dict[str, bool]] = {"alerts": False, "reports": True, "device_events": True, "new_message": True}
"""What other features send and a person may switch, with its default: alerts are asked for by those who want them."""
RESERVED: Final = frozenset({*BUILT_IN, *SUBSCRIPTIONS, "test", "notification"})
"""Names that a workspace cannot give to a type of its own."""


def find(name: str) -> NotificationType | None:
    """The workspace's own type of that name, or None."""
    return db.session.scalars(select(NotificationType).where(NotificationType.name == name)).one_or_none()


def require(name: str) -> NotificationType | None:
    """The workspace's own type, or None for a built-in one. Raises Invalid (`unknown_event_type`)."""
    if name in BUILT_IN:
        return None
    known_type = find(name)
    if known_type is None:
        raise Invalid.of("type", "unknown_event_type", "There is no such event type.")
    return known_type


def defaults() -> dict[str, bool]:
    """Every type a person can switch, in a stable order, and whether it is on when they never did."""
    return defaults_with(db.session.scalars(select(NotificationType.name).order_by(NotificationType.name)))


def defaults_with(own: Iterable[str]) -> dict[str, bool]:
    """The same, given the names of the workspace's own types in their order."""
    return dict.fromkeys(BUILT_IN, True) | SUBSCRIPTIONS | dict.fromkeys(own, True)


def title(name: str, locale: str) -> str:
    """What a person calls the type; its name where nothing else is known (it was deleted meanwhile)."""
    if name in BUILT_IN or name in SUBSCRIPTIONS:
        return i18n.text(f"notifications.type.{name}", locale)
    known_type = find(name)
    return known_type.title if known_type else name


def titles(locale: str) -> dict[str, str]:
    """What people call every type a person can switch, by name, in a stable order. One query."""
    own = db.session.execute(select(NotificationType.name, NotificationType.title).order_by(NotificationType.name))
    built_in = {name: i18n.text(f"notifications.type.{name}", locale) for name in (*BUILT_IN, *SUBSCRIPTIONS)}
    return built_in | {row.name: row.title for row in own}
