"""What only bots can be asked and told beside what every channel's provider has: the updates that wait, their menus.

Each commits nothing and makes a network call: no transaction may be open. Raises one of the five channel errors, and
NotAsked within a web request.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from backend.channels.base import Credentials
from backend.channels.telegram_bot import NAME as CHANNEL
from backend.channels.telegram_bot import TelegramProvider
from backend.channels.telegram_bot.administration import BotCommand
from backend.services.senders import provider
from backend.services.senders.provider import GuardedProvider


def waiting_updates(credentials: Credentials) -> list[dict[str, Any]]:
    """The updates that wait at Telegram at this moment, as its own JSON; none of them is taken away. Never an answer of
    before: who asks again has just written to the bot."""
    guarded = provider.quick(CHANNEL)
    return guarded.read(credentials, "updates", lambda: _of_bots(guarded).updates(credentials, timeout=0), kept=0.0)


def poll(credentials: Credentials, *, offset: int | None, timeout: int) -> list[dict[str, Any]]:
    """The updates from `offset` on, which confirms those before it; waits up to `timeout` seconds for the first."""
    guarded = provider.patient(CHANNEL)
    call = lambda: _of_bots(guarded).updates(credentials, offset=offset, timeout=timeout)  # noqa: E731
    return guarded.read(credentials, "updates", call, kept=0.0)


def set_commands(credentials: Credentials, commands: Sequence[BotCommand], *, language: str | None) -> None:
    """Shows this menu to people of one language (two letters), or with None to all others."""
    guarded = provider.patient(CHANNEL)
    guarded.change(
        credentials, "commands", lambda: _of_bots(guarded).set_commands(credentials, commands, language=language)
    )


def _of_bots(guarded: GuardedProvider) -> TelegramProvider:
    return cast(TelegramProvider, guarded.plain)
