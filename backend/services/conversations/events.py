"""Events about conversations, published in the system scope."""

from __future__ import annotations

from dataclasses import dataclass

from backend.core.events import Event


@dataclass(frozen=True, slots=True)
class ChatRekeyed(Event):
    """A sender's conversations with a chat are known by the chat's new id."""

    sender_id: int
    old_chat_id: str
    new_chat_id: str
