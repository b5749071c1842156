"""Telegram bots: the Bot API for sending, webhooks or polling for receiving.

`spec` declares the channel, `client` calls, `operations` and `formatting` decide what to call with, `errors` what an
answer means, `webhook` what an update means, `administration` is everything that is not about one message, and
`provider` offers it as every channel does.
"""

from __future__ import annotations

from backend.channels.telegram_bot.administration import Administration
from backend.channels.telegram_bot.channel import TelegramBot
from backend.channels.telegram_bot.client import BotClient
from backend.channels.telegram_bot.provider import TelegramProvider
from backend.channels.telegram_bot.spec import NAME, SPEC, create
from backend.channels.telegram_bot.tokens import bot_id_of

__all__ = [
    "NAME",
    "SPEC",
    "Administration",
    "BotClient",
    "TelegramBot",
    "TelegramProvider",
    "bot_id_of",
    "create",
]
