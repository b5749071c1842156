"""What follows for conversations from an outcome of the outbox."""

from __future__ import annotations

from backend.core import events
from backend.services.conversations.migration import rekey
from backend.services.dispatch.events import ChatMoved


def _chat_moved(event: ChatMoved) -> None:
    rekey(event.sender_id, event.old_chat_id, event.new_chat_id)


events.subscribe(ChatMoved, _chat_moved)
