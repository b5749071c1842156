"""Telegram bots: the Bot API for sending, webhooks or polling for receiving.

`client` calls, `operations` and `formatting` decide what to call with, `errors` what an answer means,
`webhook` what an update means, `administration` is everything that is not about one message.
"""

from __future__ import annotations

from typing import cast

from backend.channels import registry
from backend.channels.telegram_bot.administration import Administration
from backend.channels.telegram_bot.channel import TelegramBot
from backend.channels.telegram_bot.client import BotClient
from backend.core import config


def create() -> TelegramBot:
    """The channel as the process's settings describe it: the API's address, one connection per dispatch
    thread."""
    settings = config.get()
    return TelegramBot(BotClient(settings.telegram_api_url, pool_size=settings.dispatch_connections))


def administration() -> Administration:
    """getMe, webhooks, commands, chats, files, over the same connections as the registered channel."""
    return cast(TelegramBot, registry.get("telegram_bot")).administration


__all__ = ["Administration", "BotClient", "TelegramBot", "administration", "create"]
