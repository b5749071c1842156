"""Which function answers which command or button."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from backend.channels.inbound import Command, Person
from backend.core import i18n
from backend.services.intake.commands import basics, links, opt_in, settings
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
_BUTTONS: Final[dict[str, Callable[[ChatContext, str, str], str | None]]] = {
    "link": links.press,
    "settings": settings.press,
    "optin": opt_in.press,
}


def run(context: ChatContext, command: Command) -> None:
    """Answers a command that was meant for the bot. A token that may not be redeemed by who sent it is told why."""
    if token_in(command) is not None and not context.may_decide:
        links.refuse_member(context)
        return
    _COMMANDS.get(command.name, basics.unknown)(context, command)


def hint(context: ChatContext) -> None:
    """Reacts to anything else that a stranger writes in private."""
    basics.hint(context)


def press(context: ChatContext, data: str) -> str:
    """Acts on a pressed button and returns what the presser is told. Data come from outside: who may press is decided
    by the chat, never by them."""
    feature, _, argument = data.partition(":")
    action, _, argument = argument.partition(":")
    if feature not in _BUTTONS:
        return context.text("commands.gone")
    if feature == "settings" and not context.chat.is_private:
        return context.text("commands.not_yours")
    if not context.may_decide:
        is_refused = context.facts.is_admin is False or context.chat.is_private
        return context.text("commands.not_yours" if is_refused else "commands.try_again")
    return _BUTTONS[feature](context, action, argument) or context.text("commands.gone")


def gone(person: Person) -> str:
    """What somebody is told whose button can no longer be placed in a chat."""
    return i18n.text("commands.gone", i18n.negotiate(person.language))
