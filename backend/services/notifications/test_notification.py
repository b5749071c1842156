"""The message by which a person sees that their link works."""

from __future__ import annotations

from datetime import timedelta

from backend.core.errors import Conflict
from backend.models import Message, User
from backend.services import delivery
from backend.services.auth import audit
from backend.services.auth.attribution import Attribution
from backend.services.notifications import texts
from backend.services.notifications.recipients import link_state_of

KIND = "test"
LIFE = timedelta(minutes=15)
"""A test that arrives an hour later tests nothing."""


def send_test_message(by: Attribution, user: User) -> Message:
    """Stores the test message for the person's linked chat; mutes, quiet hours and `/stop` do not hold it back.

    Raises Conflict: `not_linked`, or `blocked` while the chat cannot be written to.
    """
    link, conversation = link_state_of(user)
    if conversation is None:
        raise Conflict("not_linked", "No Telegram account is linked.")
    if link == "blocked":
        raise Conflict("blocked", "The linked Telegram chat does not accept messages: the bot is blocked there.")
    message = delivery.send(conversation, texts.test_message(user.locale), kind=KIND, expires_in=LIFE, user_id=user.id)
    audit.record(by, "test_message.sent", f"user:{user.id}", message_id=message.id)
    return message
