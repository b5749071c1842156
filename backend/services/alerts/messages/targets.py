"""Where an alert is said: its bot's chats, the people who subscribed, whom it escalates to, the admins."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from backend.core import clock
from backend.core.database import db
from backend.core.errors import AppError
from backend.models import Alert, AlertPolicy, Conversation, NotificationSettings, User
from backend.services import notifications
from backend.services.alerts.rules import policies
from backend.services.auth.actor import ADMIN
from backend.services.bots import resolution, sending
from backend.services.bots.resolution import Target
from backend.services.notifications import settings
from backend.services.texts.quiet_hours import quiet_until

TYPE = "alerts"
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


@dataclass(frozen=True, slots=True)
class Found:
    """Destinations, the level at which the bot's name was resolved, and why there are none, as a code."""

    destinations: list[Destination]
    level: str | None = None
    code: str | None = None


def of_bot(workspace_id: int, bot_name: str, chat_ids: Sequence[str], locale: str, role: str = "route") -> Found:
    """The chats that the bot's name stands for. Never raises for a bot that is not there or does not work."""
    try:
        target = resolution.resolve(workspace_id, bot_name=bot_name, chat_ids=chat_ids)
    except AppError as error:
        return Found([], code=error.code)
    return Found(list(_chats(target, workspace_id, locale, role)), target.level)


def subscribers(alert: Alert, taken: Iterable[int]) -> list[Destination]:
    """The people of the workspace who want alerts, in chats that do not have it by another way.

    Their quiet hours hold it back, unless it is critical.
    """
    wanted = (
        select(User)
        .join(NotificationSettings, NotificationSettings.user_id == User.id)
        .where(NotificationSettings.types[TYPE].as_boolean(), User.disabled_at.is_(None))
        .order_by(User.id)
    )
    known, found = set(taken), []
    for user in db.session.scalars(wanted).all():
        state, conversation = notifications.link_state_of(user)
        if state != "active" or conversation is None or conversation.id in known:
            continue
        quiet = quiet_of(user, alert)
        known.add(conversation.id)
        found.append(Destination(conversation, "subscriber", user.locale, user.id, not_before=quiet))
    return found


def quiet_of(user: User, alert: Alert) -> datetime | None:
    """Until when a subscriber's quiet hours hold the alert back."""
    if alert.severity == "critical":
        return None
    preferences = settings.delivery_preferences_of(user, TYPE)
    return quiet_until(preferences.quiet, preferences.zone, clock.now()) if preferences.quiet else None


def of_escalation(workspace_id: int, policy: AlertPolicy) -> Found:
    """Whom the policy escalates to. People are told in their own chat, also in quiet hours."""
    found: list[Destination] = []
    code = None
    chats = policies.chats_of(policy)
    if policy.escalate_bot_name or chats:
        told = of_bot(workspace_id, policy.escalate_bot_name or "alerts", chats, policy.locale, "escalation")
        found, code = told.destinations, told.code
    people = select(User).where(User.id.in_(policy.escalate_user_ids)).order_by(User.id)
    for user in db.session.scalars(people).all():
        state, conversation = notifications.link_state_of(user)
        if state == "active" and conversation is not None:
            found.append(Destination(conversation, "escalation", user.locale, user.id))
        else:
            code = code or "not_linked"
    return Found(found, code=code)


def admins(taken: Iterable[int]) -> list[Destination]:
    """The workspace's admins in their own chats, also in quiet hours and whatever they switched."""
    known, found = set(taken), []
    people = select(User).where(User.role == ADMIN, User.disabled_at.is_(None)).order_by(User.id)
    for user in db.session.scalars(people).all():
        state, conversation = notifications.link_state_of(user)
        if state == "active" and conversation is not None and conversation.id not in known:
            known.add(conversation.id)
            found.append(Destination(conversation, "admin", user.locale, user.id))
    return found


def _chats(target: Target, workspace_id: int, locale: str, role: str) -> Iterable[Destination]:
    for chat_id in target.chat_ids:
        conversation = sending.conversation_of(target.sender, chat_id, workspace_id=workspace_id)
        yield Destination(conversation, role, locale, thread_id=target.thread_id)
