"""How a bot's updates get here, as Telegram last said: kept at the bot, so that a list need not ask."""

from __future__ import annotations

from typing import Final, Literal

from backend.models import Sender

Receiving = Literal["webhook", "elsewhere", "polling"]

WEBHOOK: Final[Receiving] = "webhook"
ELSEWHERE: Final[Receiving] = "elsewhere"
POLLING: Final[Receiving] = "polling"
_KEPT: Final = "receiving"


def judge(url: str, expected_url: str) -> Receiving:
    """What a webhook's address means: it leads here, to somebody else, or there is none and updates wait to be
    polled."""
    if not url:
        return POLLING
    return WEBHOOK if url == expected_url else ELSEWHERE


def keep(bot: Sender, how: Receiving) -> None:
    """Keeps it, in the caller's transaction; the bot should be locked."""
    if bot.facts.get(_KEPT) != how:
        bot.facts = {**bot.facts, _KEPT: how}


def last_of(bot: Sender) -> Receiving | None:
    """What was kept; None before Telegram was ever asked."""
    kept: Receiving | None = bot.facts.get(_KEPT)
    return kept
