"""Which of a bot's own chats cannot be written to, and finding out whether that is so still.

What a send or an update has shown stands at the chat's conversation. Telegram says "kicked from the supergroup" of a
single topic too, and a bot without a webhook hears nothing of being let in again: so the health check asks.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import or_, select

from backend.channels.base import Credentials
from backend.channels.errors import ChannelError, RecipientUnreachable
from backend.core import clock
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
"""Chats of one bot's own, and as many others, that a check asks about; the next check goes on behind them."""
_MAX_OTHERS: Final = 1_000
_TURN_SECONDS: Final = 300
_SECONDS: Final = 8.0
_LEFT: Final = frozenset({"kicked", "left", "not_a_member", "chat_not_found"})
"""Why a group is closed, where being let in again ends it."""
_MARKED: Final = or_(Conversation.blocked_code.is_not(None), Conversation.unreachable_code.is_not(None))
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
    """Asks Telegram about the groups and channels of the bot that cannot be written to, its own ones first: what opened
    again is written to again, what is certainly closed is not. Returns how many it asked about. Network calls, and a
    commit after each."""
    asked, began = 0, time.monotonic()
    with system_scope(_WHY):
        own = {conversations.chat_hash(bot.channel, bot.id, chat_id) for chat_id in bot.chat_ids}
        worth = list(_worth_asking(bot, own))
        credentials = senders.credentials_of(bot)
        db.session.commit()
        first = [chat for chat in worth if chat.chat_hash in own]
        others = [chat for chat in worth if chat.chat_hash not in own]
        for chat in (*_turn_of(first), *_turn_of(others)):
            if time.monotonic() - began > _SECONDS:
                break
            asked += 1
            _look(bot, credentials, chat)
            db.session.commit()
    return asked


@dataclass(frozen=True, slots=True)
class _MarkedChat:
    chat_id: str
    chat_hash: bytes
    blocked_code: str | None


def _worth_asking(bot: Sender, own: Set[bytes]) -> Iterable[_MarkedChat]:
    """The bot's marked chats that may have opened or closed; also those that callers named, for which no list is kept.
    A private chat opens when its person writes."""
    codes = or_(Conversation.blocked_code.is_(None), Conversation.blocked_code.in_(_LEFT))
    marked = select(Conversation).where(Conversation.sender_id == bot.id, _MARKED, codes)
    mine = db.session.scalars(marked.where(Conversation.chat_hash.in_(own)).order_by(Conversation.id)).all()
    others = marked.where(Conversation.chat_hash.not_in(own)).order_by(Conversation.id.desc()).limit(_MAX_OTHERS)
    known = {
        row.chat_hash: _MarkedChat(row.chat_id, row.chat_hash, row.blocked_code)
        for row in (*mine, *db.session.scalars(others).all())
        if row.chat_id.startswith(("-", "@"))
    }
    return known.values()


def _turn_of(waiting: Sequence[_MarkedChat]) -> Sequence[_MarkedChat]:
    """Those whose turn it is: `MAX_ASKED` of them, others at the next check."""
    if len(waiting) <= MAX_ASKED:
        return waiting
    start = int(clock.now().timestamp()) // _TURN_SECONDS * MAX_ASKED % len(waiting)
    return [*waiting[start:], *waiting[:start]][:MAX_ASKED]


def _look(bot: Sender, credentials: Credentials, chat: _MarkedChat) -> None:
    hashed, blocked = chat.chat_hash, chat.blocked_code
    try:
        provider.quick(bot.channel).chat(credentials, chat.chat_id)
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
    return select(Conversation).where(Conversation.chat_hash.in_(hashes), _MARKED)


def _state_of(chat: Conversation) -> ChatState:
    if chat.blocked_code is not None:
        return ChatState(CLOSED, chat.blocked_code, chat.blocked_at)
    return ChatState(UNREACHABLE, chat.unreachable_code, chat.unreachable_at)
