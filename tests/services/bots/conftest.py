"""Fixtures: see `tests.support.telegram_people`."""

from tests.support.telegram_people import ada, api, bot, eve, home, sender

__all__ = ["ada", "api", "bot", "eve", "home", "sender"]
