"""Telegram bots: the Bot API for sending, webhooks or polling for receiving.

`spec` declares the channel, `client` calls, `operations` and `formatting` decide what to call with, `errors` what an
answer means, `webhook` what an update means, `administration` is everything that is not about one message.
"""

from __future__ import annotations

from typing import cast

from backend.channels import registry
from backend.channels.telegram_bot.administration import Administration
from backend.channels.telegram_bot.channel import TelegramBot
from backend.channels.telegram_bot.client import BotClient
from backend.channels.telegram_bot.spec import NAME, SPEC, create


def administration() -> Administration:
    """getMe, webhooks, commands, chats, files, over the same connections as the registered channel."""
    return cast(TelegramBot, registry.get(NAME)).administration


__all__ = ["SPEC", "Administration", "BotClient", "TelegramBot", "administration", "create"]
