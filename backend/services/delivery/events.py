"""Events of the outbox, published in the transaction that records the outcome, in the system scope."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from backend.core import events
from backend.core.events import Event

FOLLOWED_KINDS: Final = frozenset({"campaign", "conversation_reply"})
"""Messages of which somebody has to know at once that they were accepted."""


@dataclass(frozen=True, slots=True)
class MessageSent(Event):
    """A message of one of `FOLLOWED_KINDS` was accepted by its provider, with all its parts."""

    message_id: int


@dataclass(frozen=True, slots=True)
class MessageEnded(Event):
    """A message was not sent: it ended as `failed`, `canceled` or `unknown`."""

    message_id: int
    state: str
    code: str


@dataclass(frozen=True, slots=True)
class MessageFailed(Event):
    """A message ended as `failed`; follows `MessageEnded`."""

    message_id: int
    code: str


@dataclass(frozen=True, slots=True)
class MessageGone(Event):
    """What was sent can be edited no more: its reader deleted it, or the chat is closed. News needs a new message."""

    message_id: int
    code: str


def message_ended(message_id: int, state: str, code: str) -> None:
    """Publishes that a message ended as `failed`, `canceled` or `unknown`."""
    events.publish(MessageEnded(message_id, state, code))
    if state == "failed":
        events.publish(MessageFailed(message_id, code))


def message_gone(message_id: int, code: str) -> None:
    """Publishes that what was sent can be edited no more."""
    events.publish(MessageGone(message_id, code))
