"""What an event needs to know of the person it is for: their link, its chat and their settings, by one statement."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import func

from backend.core.database import db, system_scope
from backend.models import Conversation, NotificationEvent, NotificationSettings, TelegramLink, User
from backend.services import linking
from backend.services.notifications import settings
from backend.services.notifications.decision import DeliveryPreferences, LinkState

_RECIPIENT: Final = (
    linking.DEFAULT_LINK.add_columns(NotificationSettings)
    .outerjoin(
        NotificationSettings,
        (NotificationSettings.user_id == User.id) & (NotificationSettings.workspace_id == User.workspace_id),
    )
    .execution_options(populate_existing=True)
)
_EVENT_ID: Final = func.nextval(func.pg_get_serial_sequence(NotificationEvent.__tablename__, "id"))
_WITH_EVENT_ID: Final = _RECIPIENT.add_columns(_EVENT_ID.label("event_id"))


@dataclass(frozen=True, slots=True)
class Recipient:
    """How a person is linked with the default bot, the chat to write to, and what they want of one type."""

    link_state: LinkState
    conversation: Conversation | None
    preferences: DeliveryPreferences
    event_id: int = 0
    """The id of the event that is to be stored, where one was asked for."""


def read(user: User, type_name: str) -> Recipient:
    """Reads the recipient of an event of this type that is stored already."""
    return _recipient(_row(_RECIPIENT, user), user, type_name)


def read_with_event_id(user: User, type_name: str) -> Recipient:
    """Reads the recipient of a new event of this type, and takes the event's id."""
    row = _row(_WITH_EVENT_ID, user)
    return _recipient(row, user, type_name, row.event_id)


def link_state_of(user: User) -> tuple[LinkState, Conversation | None]:
    """How the person is linked with the default bot, and the chat to write to."""
    return _link_state(_row(_RECIPIENT, user), user)


def _row(query: Any, user: User) -> Any:
    values = {"user": user.id, "workspace": user.workspace_id}
    with system_scope("the default bot serves every workspace; all else is joined by the person's own"):
        return db.session.execute(query, values).one()


def _recipient(row: Any, user: User, type_name: str, event_id: int = 0) -> Recipient:
    link_state, conversation = _link_state(row, user)
    preferences = settings.delivery_preferences(row.NotificationSettings, user, type_name)
    return Recipient(link_state, conversation, preferences, event_id)


def _link_state(row: Any, user: User) -> tuple[LinkState, Conversation | None]:
    if user.disabled_at is not None:
        return "disabled", None
    bot = linking.default_bot_of(row.Sender)
    link: TelegramLink | None = row.TelegramLink
    if bot is None or link is None:
        return "none", None
    conversation: Conversation = row.Conversation
    if link.state == "blocked" or conversation.blocked_code:
        return "blocked", conversation
    return ("paused" if link.paused_at else "active"), conversation
