"""Which function answers which command or button."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from backend.channels.inbound import Command, Person
from backend.core import i18n
from backend.services.intake.commands import basics, links, settings
from backend.services.intake.commands.chat_context import ChatContext
from backend.services.intake.commands.command_parsing import token_in

_COMMANDS: Final[dict[str, Callable[[ChatContext, Command], None]]] = {
    "start": basics.start,
    "help": basics.help_,
    "link": basics.link,
    "status": basics.status,
    "stop": basics.stop,
    "settings": settings.show,
}


def run(exchange: ChatContext, command: Command) -> None:
    """Answers a command that was meant for the bot. A token that may not be redeemed by who sent it is told why."""
    if token_in(command) is not None and not exchange.may_decide:
        links.refuse_member(exchange)
        return
    _COMMANDS.get(command.name, basics.unknown)(exchange, command)


def hint(exchange: ChatContext) -> None:
    """Reacts to anything else that a stranger writes in private."""
    basics.hint(exchange)


def press(exchange: ChatContext, data: str) -> str:
    """Acts on a pressed button and returns what the presser is told. Data come from outside: who may press is decided
    by the chat, never by them."""
    feature, _, rest = data.partition(":")
    action, _, argument = rest.partition(":")
    if feature not in ("link", "settings"):
        return exchange.text("commands.gone")
    if feature == "settings" and not exchange.chat.is_private:
        return exchange.text("commands.not_yours")
    if not exchange.may_decide:
        asked = exchange.facts.is_admin is False or exchange.chat.is_private
        return exchange.text("commands.not_yours" if asked else "commands.try_again")
    handler = links.press if feature == "link" else settings.press
    return handler(exchange, action, argument) or exchange.text("commands.gone")


def gone(person: Person) -> str:
    """What somebody is told whose button can no longer be placed in a chat."""
    return i18n.text("commands.gone", i18n.negotiate(person.language))
