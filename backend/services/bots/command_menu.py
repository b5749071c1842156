"""The commands there are, as Telegram's menu shows them, in every language."""

from __future__ import annotations

from typing import Final

from backend.channels.telegram_bot.administration import BotCommand
from backend.core import i18n
from backend.core.database import db
from backend.models import Sender
from backend.services import senders
from backend.services.bots import bot_api

COMMANDS: Final = ("start", "help", "link", "status", "stop", "settings")


def menus() -> dict[str | None, list[BotCommand]]:
    """The menu by language; None is what people of all other languages see."""
    shown: dict[str | None, str] = {None: i18n.DEFAULT, **{locale: locale for locale in i18n.LOCALES}}
    return {
        language: [BotCommand(name, i18n.text(f"commands.menu.{name}", locale)) for name in COMMANDS]
        for language, locale in shown.items()
    }


def register(bot: Sender) -> None:
    """Has Telegram show the menus of this bot. Commits before the network calls; raises one of the five channel
    errors."""
    credentials = senders.credentials_of(bot)
    db.session.commit()
    for language, commands in menus().items():
        bot_api.set_commands(credentials, commands, language=language)
