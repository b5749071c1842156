"""Asking Telegram about a bot: connections of their own, apart from those that send messages.

A person waits for most of these answers, so `quick` gives up soon. `patient` is for long polling.
"""

from __future__ import annotations

from functools import lru_cache

from backend.channels.telegram_bot import Administration, BotClient
from backend.channels.transport import Timeouts
from backend.core import config

_QUICK = Timeouts(connect=2.0, read=4.0, total=6.0)
_PATIENT = Timeouts(connect=5.0, read=20.0, total=60.0)


def quick() -> Administration:
    """For requests that a person waits for: an answer within about six seconds, or an error."""
    return _at(config.get().telegram_api_url, _QUICK)


def patient() -> Administration:
    """For polling and the command line."""
    return _at(config.get().telegram_api_url, _PATIENT)


@lru_cache(maxsize=8)
def _at(url: str, timeouts: Timeouts) -> Administration:
    return Administration(BotClient(url, pool_size=4, timeouts=timeouts))
