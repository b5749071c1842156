"""Which chats a bot could write to: what waits at Telegram, and what this instance has heard already."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sqlalchemy import select

from backend.channels.inbound import Chat
from backend.core.database import db
from backend.core.errors import Invalid
from backend.models import Conversation
from backend.services import senders
from backend.services.bots import catalog, source_order, telegram_lookup
from backend.services.bots.telegram_lookup import SeenChat

_MAX: Final = 100
_BUSY: Final = frozenset({"webhook_is_set", "other_poller"})


@dataclass(frozen=True, slots=True)
class Discovery:
    """The chats, those that were heard of last first. With `webhook_url` Telegram hands its updates over there and
    shows none here; `note` says in words what that means."""

    chats: list[SeenChat]
    webhook_url: str | None = None
    note: str | None = None


def of_bot(bot_id: int) -> Discovery:
    """The chats of one of the workspace's bots. Commits before it asks Telegram.

    Raises NotFound, Invalid(`token_refused`), Unavailable(`bot_unavailable`).
    """
    bot = catalog.get(bot_id)
    known = _known(bot_id)
    token = senders.credentials_of(bot).token
    db.session.commit()
    discovery = of_token(token)
    merged = {chat.chat_id: chat for chat in known}
    merged |= {chat.chat_id: chat for chat in discovery.chats}
    if discovery.webhook_url is None:
        return Discovery(list(merged.values()), note=discovery.note)
    note = (
        "A webhook is set, so Telegram shows no updates here. These are the chats that have written to this instance."
    )
    if discovery.webhook_url != senders.webhook_address(bot):
        note = (
            "A webhook is set to another address, which gets the updates. Delete it, write to the bot, and ask again."
        )
    return Discovery(list(merged.values()), discovery.webhook_url, note)


def of_token(token: str) -> Discovery:
    """The chats of the updates that wait for a bot; takes none of them away. No transaction may be open.

    Raises Invalid(`bad_token`, `token_refused`), Unavailable(`bot_unavailable`).
    """
    token = source_order.checked_token(token)
    address = telegram_lookup.webhook_of(token).url
    if address:
        taken = "A webhook is set, so Telegram shows no updates here. Delete it, write to the bot, and ask again."
        return Discovery([], address, taken)
    try:
        chats = telegram_lookup.seen_by(token)
    except Invalid as error:
        if error.code not in _BUSY:
            raise
        return Discovery([], None, "Somebody else takes this bot's updates at this moment; ask again.")
    note = (
        None
        if chats
        else "Nothing waits. Write to the bot, or add it to a group and write /start there, and ask again."
    )
    return Discovery(chats, note=note)


def look_up(token: str, chat: str) -> Chat:
    """A chat as Telegram shows it to this bot. No transaction may be open.

    Raises Invalid(`bad_token`, `bad_chat_id`, `token_refused`), NotFound(`chat_not_found`), Unavailable.
    """
    (chat_id,) = source_order.parse_chats([chat])
    return telegram_lookup.look_up(source_order.checked_token(token), chat_id)


def _known(bot_id: int) -> list[SeenChat]:
    rows = db.session.execute(
        select(Conversation)
        .where(Conversation.sender_id == bot_id)
        .order_by(Conversation.last_message_at.desc().nulls_last(), Conversation.id.desc())
        .limit(_MAX)
    ).scalars()
    return [SeenChat(row.chat_id, row.kind, row.title, None) for row in rows]
