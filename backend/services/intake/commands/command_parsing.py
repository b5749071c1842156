"""Parsing of commands and tokens: pure functions of the message and the bot's name."""

from __future__ import annotations

from typing import Final

from backend.channels.inbound import ButtonPressed, Command, MessageReceived
from backend.models import Sender
from backend.services import linking

_WITH_TOKEN: Final = frozenset({"start", "link"})
_DECIDING: Final = frozenset({"start", "link", "stop"})
"""Commands by which one member of a group decides for all of it."""


def command_in(sender: Sender, event: MessageReceived) -> Command | None:
    """The command that is meant for this bot: any in a private chat, in a group one that names the bot.

    A token as plain text in a private chat is a `/link` with it.
    """
    command = event.command
    if event.chat.is_private:
        bare = event.text.strip()
        if command is None and event.kind == "text" and linking.looks_like_token(bare):
            return Command("link", None, bare)
        return command
    return command if command is not None and _names(sender, command) else None


def token_in(command: Command | None) -> str | None:
    """The link token that a command brings; something else that looks like an attempt counts, and is answered."""
    if command is None or command.name not in _WITH_TOKEN or not command.payload:
        return None
    # A deep link may carry something else than our tokens; an invitation, say. `/link` is for nothing else.
    attempt = command.payload.startswith("user_") or command.name == "link"
    return command.payload if attempt else None


def carries_token(sender: Sender, event: MessageReceived) -> bool:
    """Whether an unproven message carries a token."""
    return token_in(command_in(sender, event)) is not None


def needs_admin(sender: Sender, event: MessageReceived) -> bool:
    """Whether only an administrator of the group may ask for this."""
    if not event.chat.is_group or not event.proves_sender:
        return False
    command = command_in(sender, event)
    return command is not None and command.name in _DECIDING


def press_needs_admin(event: ButtonPressed) -> bool:
    """Whether a button of a group is for its administrators only: those about its link."""
    return event.chat is not None and event.chat.is_group and event.data.startswith("link:")


def _names(sender: Sender, command: Command) -> bool:
    if command.addressed_to is None:
        return False
    # A bot whose name was never asked for cannot tell; Telegram delivers it what names it.
    return sender.username is None or command.addressed_to.lower() == sender.username.lower()
