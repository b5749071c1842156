"""Events about chats that a provider tells of while something is sent, published in the system scope."""

from __future__ import annotations

from dataclasses import dataclass

from backend.core.events import Event


@dataclass(frozen=True, slots=True)
class RecipientUnreachable(Event):
    """A chat cannot be written to for `code`; `disables_link` says whether that is sure and lasting."""

    sender_id: int
    chat_hash: bytes
    code: str
    disables_link: bool


@dataclass(frozen=True, slots=True)
class ChatMoved(Event):
    """A group has become a supergroup, which has another id."""

    sender_id: int
    old_chat_id: str
    new_chat_id: str
