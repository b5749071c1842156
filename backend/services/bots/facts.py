"""What Telegram says of a bot and of its chats, asked now and kept: `validate` and `sync`.

Both commit before they ask, so that no transaction is open meanwhile, and leave what they found to the caller's.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, Final

from backend.channels.base import SenderFacts
from backend.channels.errors import SenderDisabled
from backend.channels.inbound import Chat
from backend.channels.telegram_bot import NAME as CHANNEL
from backend.core import clock
from backend.core.database import db, system_scope
from backend.core.errors import AppError
from backend.models import Sender
from backend.services import senders
from backend.services.auth import audit
from backend.services.auth.attribution import Attribution
from backend.services.bots import catalog, telegram_lookup

_SECONDS: Final = 10.0
"""How long `sync` asks about chats: somebody waits for it."""
_WHY: Final = "a sender is no tenant table"
_TITLE: Final = 200


@dataclass(frozen=True, slots=True)
class Validity:
    """Whether Telegram accepts a bot's token; `code` says why not, `facts` whose it is."""

    valid: bool
    code: str | None = None
    facts: SenderFacts | None = None


def validate(by: Attribution, bot_id: int) -> Validity:
    """Asks Telegram about a bot's token and keeps the answer. A refused token disables the bot, an accepted one ends
    such a disabling. Raises NotFound, and Unavailable(`bot_unavailable`) when Telegram cannot be asked."""
    bot = catalog.get(bot_id)
    with telegram_lookup.clear_errors():
        try:
            result = Validity(True, facts=senders.probe(bot))
        except SenderDisabled as error:
            result = Validity(False, error.code)
    audit.record(by, "bot.validated", f"sender:{bot.id}", valid=result.valid)
    return result


def validate_token(token: str) -> Validity:
    """Asks Telegram about a token that belongs to no bot here. Keeps nothing. No transaction may be open."""
    with telegram_lookup.clear_errors():
        try:
            return Validity(True, facts=senders.identify(CHANNEL, token))
        except SenderDisabled as error:
            return Validity(False, error.code)


def sync(by: Attribution, bot_id: int) -> tuple[Sender, bool]:
    """Asks Telegram about a bot and each of its chats, and keeps the answers; False where there was not the time for
    all chats, which keep what was known. A chat that Telegram does not show has its reason kept in its place.

    Raises NotFound, Invalid(`token_refused`), Unavailable(`bot_unavailable`).
    """
    bot = catalog.get(bot_id)
    with telegram_lookup.clear_errors():
        senders.probe(bot)
    chats, known, token = bot.chat_ids, known_chats(bot), senders.credentials_of(bot).token
    db.session.commit()
    result, began = list(known), time.monotonic()
    complete = True
    for place, chat_id in enumerate(chats):
        if time.monotonic() - began > _SECONDS:
            complete = False
            break
        facts = _chat_facts(token, chat_id)
        if facts is None:
            complete = False
            break
        result[place] = facts
    bot = catalog.get(bot_id, lock=True)
    with system_scope(_WHY):
        if bot.chat_ids == chats:
            bot.facts = {**bot.facts, "chats": result}
            only = result[0].get("type") if len(result) == 1 else None
            bot.chat_type = only or bot.chat_type
        db.session.flush()
    audit.record(by, "bot.synced", f"sender:{bot.id}", chats=len(chats), complete=complete)
    return bot, complete


def known_chats(bot: Sender) -> list[dict[str, Any]]:
    """What is known of each of the bot's chats, in their order; empty for one that was never asked about."""
    kept = bot.facts.get("chats")
    count = len(bot.chat_ids)
    return list(kept) if isinstance(kept, list) and len(kept) == count else [{} for _ in range(count)]


def _chat_facts(token: str, chat_id: str) -> dict[str, Any] | None:
    """Without the chat's id: the ids of people are kept encrypted, beside this. None where Telegram was not asked."""
    now = clock.now().isoformat()
    try:
        chat = telegram_lookup.look_up(token, chat_id)
    except AppError as error:
        if telegram_lookup.was_left_alone(error):
            return None
        return {"error": error.code, "checked_at": now}
    return _facts_of(chat) | {"checked_at": now}


def _facts_of(chat: Chat) -> dict[str, Any]:
    title = (chat.title or chat.name or "")[:_TITLE] or None
    return {"type": chat.type, "title": title, "username": chat.username, "is_forum": chat.is_forum}
