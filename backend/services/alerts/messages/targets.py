"""Where an alert is sent: its bot's chats, the people who subscribed, whom it escalates to, the admins."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

from sqlalchemy import select

from backend.channels.base import Content
from backend.core import clock
from backend.core.database import db
from backend.core.errors import AppError
from backend.models import Alert, AlertPolicy, Conversation, Message, NotificationSettings, User
from backend.services import delivery, notifications
from backend.services.alerts.rules import policies
from backend.services.auth.actor import ADMIN
from backend.services.bots import resolution, sending
from backend.services.bots.resolution import Target
from backend.services.delivery import Priority
from backend.services.notifications import settings
from backend.services.texts.quiet_hours import quiet_until

KIND: Final = "alert"
"""The kind of an alert's messages."""
TYPE: Final = "alerts"
"""What people switch in their settings to subscribe."""


@dataclass(frozen=True, slots=True)
class Destination:
    """A chat that gets the alert, in which role, and whose language."""

    conversation: Conversation
    role: str
    locale: str
    user_id: int | None = None
    thread_id: str | None = None
    not_before: datetime | None = None

    def send(self, content: Content, *, reply_to: str | None = None) -> Message:
        """Stores a message to this chat; see `delivery.send`."""
        return delivery.send(
            self.conversation,
            content,
            kind=KIND,
            lane=Priority.NOTIFICATION,
            not_before=self.not_before,
            reason="quiet_hours" if self.not_before else "queued",
            user_id=self.user_id,
            reply_to=reply_to,
            thread_id=self.thread_id,
        )


@dataclass(frozen=True, slots=True)
class Audience:
    """Whom an alert is for: the chats of its own way, and the people who subscribed.

    `level` is where the bot's name was resolved, `code` why some or all of its own chats are missing.
    """

    chats: list[Destination]
    subscribers: list[Destination] = field(default_factory=list)
    level: str | None = None
    code: str | None = None


def of_alert(alert: Alert, chat_ids: Sequence[str], locale: str) -> Audience:
    """Everybody an alert is for, at this moment. Never raises for a bot that is not there or does not work."""
    own = _of_bot(alert.bot_name, chat_ids, locale, "route")
    return replace(own, subscribers=_subscribers(alert, [place.conversation.id for place in own.chats]))


def _of_bot(bot_name: str, chat_ids: Sequence[str], locale: str, role: str) -> Audience:
    """The chats that the bot's name stands for."""
    try:
        target = resolution.resolve(bot_name=bot_name, chat_ids=chat_ids)
    except AppError as error:
        return Audience([], code=error.code)
    return Audience(list(_chats(target, locale, role)), level=target.level)


def _subscribers(alert: Alert, taken: Iterable[int]) -> list[Destination]:
    """The people of the workspace who want alerts, in chats that do not have it by another way.

    Their quiet hours hold it back, unless it is critical.
    """
    wanted = (
        select(User)
        .join(NotificationSettings, NotificationSettings.user_id == User.id)
        .where(NotificationSettings.types[TYPE].as_boolean(), User.disabled_at.is_(None))
        .order_by(User.id)
    )
    known, destinations = set(taken), []
    for user in db.session.scalars(wanted).all():
        state, conversation = notifications.link_state_of(user)
        if state != "active" or conversation is None or conversation.id in known:
            continue
        quiet = quiet_of(user, alert)
        known.add(conversation.id)
        destinations.append(Destination(conversation, "subscriber", user.locale, user.id, not_before=quiet))
    return destinations


def quiet_of(user: User, alert: Alert) -> datetime | None:
    """Until when a subscriber's quiet hours hold the alert back."""
    if alert.severity == "critical":
        return None
    preferences = settings.delivery_preferences_of(user, TYPE)
    return quiet_until(preferences.quiet, preferences.zone, clock.now()) if preferences.quiet else None


def of_escalation(policy: AlertPolicy) -> Audience:
    """Whom the policy escalates to. People get it in their own chat, also in quiet hours."""
    destinations: list[Destination] = []
    code = None
    chats = policies.chats_of(policy)
    if policy.escalate_bot_name or chats:
        own = _of_bot(policy.escalate_bot_name or "alerts", chats, policy.locale, "escalation")
        destinations, code = own.chats, own.code
    people = select(User).where(User.id.in_(policy.escalate_user_ids)).order_by(User.id)
    for user in db.session.scalars(people).all():
        state, conversation = notifications.link_state_of(user)
        if state == "active" and conversation is not None:
            destinations.append(Destination(conversation, "escalation", user.locale, user.id))
        else:
            code = code or "not_linked"
    return Audience(destinations, code=code)


def admins(taken: Iterable[int]) -> list[Destination]:
    """The workspace's admins in their own chats, also in quiet hours and whatever they switched."""
    known, destinations = set(taken), []
    people = select(User).where(User.role == ADMIN, User.disabled_at.is_(None)).order_by(User.id)
    for user in db.session.scalars(people).all():
        state, conversation = notifications.link_state_of(user)
        if state == "active" and conversation is not None and conversation.id not in known:
            known.add(conversation.id)
            destinations.append(Destination(conversation, "admin", user.locale, user.id))
    return destinations


def _chats(target: Target, locale: str, role: str) -> Iterable[Destination]:
    for chat_id in target.chat_ids:
        conversation = sending.conversation_of(target.sender, chat_id)
        yield Destination(conversation, role, locale, thread_id=target.thread_id)
