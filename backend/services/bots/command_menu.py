"""The commands there are, as Telegram's menu shows them, in every language."""

from __future__ import annotations

from typing import Final

from backend.core import i18n
from backend.services.senders import BotCommandText

COMMANDS: Final = ("start", "help", "link", "status", "stop", "settings")


def menus() -> dict[str | None, list[BotCommandText]]:
    """The menu by language; None is what people of all other languages see."""
    shown: dict[str | None, str] = {None: i18n.DEFAULT, **{locale: locale for locale in i18n.LOCALES}}
    return {
        language: [BotCommandText(name, i18n.text(f"commands.menu.{name}", locale)) for name in COMMANDS]
        for language, locale in shown.items()
    }
