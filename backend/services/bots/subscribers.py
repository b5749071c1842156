"""What follows for bots from what happens elsewhere: a group that became a supergroup has another id."""

from __future__ import annotations

from backend.core import events
from backend.core.database import db, system_scope
from backend.models import Sender


def _chat_rekeyed(sender_id: int, old_chat_id: str, new_chat_id: str) -> None:
    with system_scope("a sender is no tenant table"):
        bot = db.session.get(Sender, sender_id)
        if bot is None or old_chat_id not in bot.chat_ids:
            return
        bot.chat_ids = tuple(
            dict.fromkeys(new_chat_id if chat_id == old_chat_id else chat_id for chat_id in bot.chat_ids)
        )
        if bot.chat_type == "group":
            bot.chat_type = "supergroup"
        db.session.flush()


events.subscribe("chat_rekeyed", _chat_rekeyed)
