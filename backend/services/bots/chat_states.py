"""Which of a bot's own chats cannot be written to, and finding out whether that is so still.

What a send or an update has shown stands at the chat's conversation. Telegram says "kicked from the supergroup" of a
single topic too, and a bot without a webhook hears nothing of being let in again: so the health check asks.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import or_, select

from backend.channels.errors import ChannelError, RecipientUnreachable
from backend.core.database import db, system_scope
from backend.core.logging import get_logger
from backend.models import Conversation, Sender
from backend.services import conversations, delivery, linking, senders
from backend.services.senders import provider

log = get_logger(__name__)
OK: Final = "ok"
CLOSED: Final = "closed"
UNREACHABLE: Final = "unreachable"
MAX_ASKED: Final = 5
"""Chats of one bot that a check asks about; the rest is asked about by later ones."""
_SECONDS: Final = 8.0
_LEFT: Final = frozenset({"kicked", "left", "not_a_member", "chat_not_found"})
"""Why a group is closed, where being let in again ends it."""
_WHY: Final = "a bot's chats, by the bot that its caller was allowed to load"


@dataclass(frozen=True, slots=True)
class ChatState:
    """`closed`: nothing is sent there. `unreachable`: the last message failed, the next is tried. Why, since when."""

    state: str = OK
    code: str | None = None
    since: datetime | None = None

    def shown(self) -> dict[str, Any]:
        """As plain values."""
        return {"state": self.state, "code": self.code, "since": self.since}


def of(bots: Sequence[Sender]) -> dict[int, list[ChatState]]:
    """The state of each of these bots' own chats, in their order, in one statement."""
    hashes = {
        bot.id: [conversations.chat_hash(bot.channel, bot.id, chat_id) for chat_id in bot.chat_ids] for bot in bots
    }
    known: dict[tuple[int, bytes], ChatState] = {}
    with system_scope(_WHY):
        marked = (
            _marked([chat_hash for some in hashes.values() for chat_hash in some]).where(
                Conversation.sender_id.in_(hashes)
            )
            if any(hashes.values())
            else None
        )
        for chat in db.session.scalars(marked) if marked is not None else ():
            state = _state_of(chat)
            if known.get((chat.sender_id, chat.chat_hash), ChatState()).state != CLOSED:
                known[chat.sender_id, chat.chat_hash] = state
    return {
        bot_id: [known.get((bot_id, chat_hash), ChatState()) for chat_hash in some] for bot_id, some in hashes.items()
    }


def look_again(bot: Sender) -> int:
    """Asks Telegram about the bot's chats that cannot be written to: what opened again is written to again, what is
    certainly closed is not. Returns how many it asked about. Network calls, and a commit after each."""
    asked, began = 0, time.monotonic()
    with system_scope(_WHY):
        hashes = {conversations.chat_hash(bot.channel, bot.id, chat_id): chat_id for chat_id in bot.chat_ids}
        rows = db.session.scalars(
            _marked(list(hashes)).where(Conversation.sender_id == bot.id).order_by(Conversation.id)
        ).all()
        worth = {
            row.chat_hash: row.blocked_code for row in rows if row.blocked_code is None or row.blocked_code in _LEFT
        }
        token = senders.credentials_of(bot).token
        db.session.commit()
        for hashed, blocked in list(worth.items())[:MAX_ASKED]:
            if time.monotonic() - began > _SECONDS:
                break
            asked += 1
            _look(bot, token, hashes[hashed], hashed, blocked)
            db.session.commit()
    return asked


def _look(bot: Sender, token: str, chat_id: str, hashed: bytes, blocked: str | None) -> None:
    try:
        provider.quick().get_chat(token, chat_id)
    except RecipientUnreachable as error:
        if blocked is None and error.code in _LEFT:
            # Asked of the chat as a whole, so no single topic is meant.
            linking.disable_chat(bot.id, hashed, error.code)
            delivery.block(bot.id, hashed, error.code)
            log.warning("chat_closed", sender_id=bot.id, code=error.code)
    except ChannelError:
        return
    else:
        if blocked is not None:
            linking.restore_chat(bot.id, hashed)
            log.info("chat_open_again", sender_id=bot.id)


def _marked(hashes: Sequence[bytes]) -> Any:
    return select(Conversation).where(
        Conversation.chat_hash.in_(hashes),
        or_(Conversation.blocked_code.is_not(None), Conversation.unreachable_code.is_not(None)),
    )


def _state_of(chat: Conversation) -> ChatState:
    if chat.blocked_code is not None:
        return ChatState(CLOSED, chat.blocked_code, chat.blocked_at)
    return ChatState(UNREACHABLE, chat.unreachable_code, chat.unreachable_at)
