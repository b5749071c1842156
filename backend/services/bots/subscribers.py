"""What follows for bots from what happens elsewhere: a group that became a supergroup has another id."""

from __future__ import annotations

from backend.core import events
from backend.core.database import db, system_scope
from backend.models import Sender
from backend.services.conversations.events import ChatRekeyed


def _chat_rekeyed(event: ChatRekeyed) -> None:
    with system_scope("a sender is no tenant table"):
        bot = db.session.get(Sender, event.sender_id)
        if bot is None or event.old_chat_id not in bot.chat_ids:
            return
        bot.chat_ids = tuple(
            dict.fromkeys(event.new_chat_id if chat_id == event.old_chat_id else chat_id for chat_id in bot.chat_ids)
        )
        if bot.chat_type == "group":
            bot.chat_type = "supergroup"
        db.session.flush()


events.subscribe(ChatRekeyed, _chat_rekeyed)
