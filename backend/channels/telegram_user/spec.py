"""What the channel `telegram_user` declares about itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from backend.channels.capabilities import Capabilities, Length, Sizes
from backend.channels.spec import ChannelSpec, Webhook
from backend.channels.telegram_user import limits, parsing, stored
from backend.channels.telegram_user.channel import TelegramUser

NAME: Final = "telegram_user"


def _refuse(headers: Mapping[str, str], body: bytes, secrets: Sequence[str]) -> bool:
    """Nobody calls us for an account: its updates are fetched."""
    return False


SPEC: Final = ChannelSpec(
    name=NAME,
    family="telegram",
    create=TelegramUser,
    capabilities=Capabilities(
        edit=True,
        delete=True,
        typing=True,
        formatting=True,
        reply_to=True,
        echoes=True,
        idempotent_sends=True,
        receipts=frozenset({"read"}),
    ),
    sizes=Sizes(text=Length(limits.TEXT_UNITS, "utf16")),
    # Without an address: updates are stored by the process that fetches them, in the form of an item.
    webhook=Webhook(
        routes=(),
        verify=_refuse,
        split=stored.split,
        parse=parsing.parse,
        headers=frozenset(),
        max_bytes=stored.MAX_BYTES,
    ),
    keeps_connection=True,
)
