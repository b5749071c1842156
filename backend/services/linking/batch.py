"""Whose chats they are, for many chats at once."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import BigInteger, LargeBinary, bindparam, func, select
from sqlalchemy.dialects.postgresql import ARRAY

from backend.core.database import db
from backend.models import TelegramLink, User

ChatName = tuple[int, bytes]
"""A chat: its sender, and its hash."""


def links_of_chats(chats: Collection[ChatName]) -> dict[ChatName, tuple[TelegramLink, User]]:
    """The links of these chats, whichever workspace they belong to, and their people. Runs in the system scope."""
    if not chats:
        return {}
    rows = db.session.execute(_LINKS, {"senders": [chat[0] for chat in chats], "hashes": [chat[1] for chat in chats]})
    return {(link.sender_id, link.chat_hash): (link, user) for link, user in rows}


_wanted = (
    func.unnest(bindparam("senders", type_=ARRAY(BigInteger)), bindparam("hashes", type_=ARRAY(LargeBinary)))
    .table_valued("sender_id", "hash")
    .render_derived("wanted")
)
_LINKS = (
    select(TelegramLink, User)
    .join(_wanted, (TelegramLink.sender_id == _wanted.c.sender_id) & (TelegramLink.chat_hash == _wanted.c.hash))
    .join(User, (User.id == TelegramLink.user_id) & (User.workspace_id == TelegramLink.workspace_id))
    .execution_options(populate_existing=True)
)
