"""A test message by a bot, whoever it usually writes to."""

from __future__ import annotations

from typing import Final

from backend.channels import richtext
from backend.channels.base import Content
from backend.core.errors import Invalid
from backend.models import Message
from backend.services.auth import audit
from backend.services.auth.attribution import Attribution
from backend.services.bots import catalog, source_order
from backend.services.bots.resolution import Target
from backend.services.bots.sending import send_to_chats
from backend.services.delivery import REPLY_LIFE, Priority

KIND: Final = "test"
_TEXT: Final = "🧪 Test message from Switchboard: this bot works. ✅"


def send_test(
    by: Attribution,
    bot_id: int,
    *,
    text: str | None = None,
    chat_id: str | None = None,
    thread_id: str | None = None,
) -> list[Message]:
    """Stores a test message for the bot's chats, or for the one that is named; what becomes of it stands at the
    messages. Expires after an hour.

    Raises NotFound, Conflict(`bot_inactive`), Invalid(`no_chats`, `bad_chat_id`), Invalid naming a topic at
    fault.
    """
    bot = catalog.get(bot_id)
    if not bot.is_active:
        raise source_order.inactive()
    chats = source_order.parse_chats([chat_id]) if chat_id is not None else bot.chat_ids
    if not chats:
        raise source_order.no_chats()
    topic = thread_id if thread_id is not None or chat_id is not None else bot.message_thread_id
    if faults := catalog.thread_faults(topic, chats):
        raise Invalid.of_fields(faults)
    messages = send_to_chats(
        Target(bot, chats, topic, "database"),
        Content(text.strip() if text and richtext.has_visible(text) else _TEXT),
        kind=KIND,
        lane=Priority.REPLY,
        expires_in=REPLY_LIFE,
    )
    audit.record(by, "bot.tested", f"sender:{bot.id}", messages=len(messages))
    return messages
