"""`/start /help /link /status /stop`, and what is said to somebody who wrote something else."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from backend.channels.base import Content
from backend.channels.inbound import Command
from backend.core.database import workspace_scope
from backend.services import linking
from backend.services.bots.command_menu import COMMANDS
from backend.services.intake.commands import links
from backend.services.intake.commands.chat_context import ChatContext, Rows
from backend.services.notifications import settings

HINT_EVERY: Final = timedelta(hours=1)


def start(exchange: ChatContext, _command: Command) -> None:
    """Whoever blocked or paused the bot is back; a stranger is told how to link."""
    linking.restore_chat(exchange.sender.id, exchange.hashed)
    if exchange.link is None or exchange.user is None:
        _explain(exchange)
        return
    if exchange.may_decide:
        linking.resume("telegram", exchange.link)
        exchange.say("commands.start.linked", account=linking.masked_account(exchange.user))
    elif exchange.link.paused_at is not None:
        links.refuse_member(exchange)
    else:
        _status(exchange)


def help_(exchange: ChatContext, _command: Command) -> None:
    """Lists the commands."""
    lines = [f"/{name} – {exchange.text(f'commands.menu.{name}')}" for name in COMMANDS]
    exchange.say("commands.help", commands="\n".join(lines))


def link(exchange: ChatContext, _command: Command) -> None:
    """Without a token: says how linking goes, or to whom the chat is linked."""
    if exchange.link is None or exchange.user is None:
        _explain(exchange)
    else:
        exchange.say("linking.already", buttons=_leave(exchange), account=linking.masked_account(exchange.user))


def status(exchange: ChatContext, _command: Command) -> None:
    """Says whose chat this is and whether notifications come."""
    _status(exchange)


def stop(exchange: ChatContext, _command: Command) -> None:
    """Notifications rest until `/start`."""
    if exchange.link is None:
        exchange.say("commands.stop.not_linked")
    elif not exchange.may_decide:
        links.refuse_member(exchange)
    else:
        linking.pause("telegram", exchange.link)
        exchange.say("commands.stop.paused")


def unknown(exchange: ChatContext, _command: Command) -> None:
    """Says that there is no such command, and which there are."""
    exchange.say("commands.unknown", commands=" ".join(f"/{name}" for name in COMMANDS))


def hint(exchange: ChatContext) -> None:
    """Tells a stranger who writes anything else how to link, at most once an hour."""
    if exchange.said_since("how_to", HINT_EVERY) is None:
        _explain(exchange)


def _explain(exchange: ChatContext) -> None:
    code = "linking.how_to" if exchange.chat.is_private else "linking.how_to_group"
    exchange.say(code, kind="how_to", bot=f"@{exchange.sender.username or exchange.sender.name}")


def _status(exchange: ChatContext) -> None:
    link, user = exchange.link, exchange.user
    if link is None or user is None:
        exchange.say("commands.status.not_linked")
        return
    state = "blocked" if link.state != "active" else "paused" if link.paused_at is not None else "on"
    lines = [
        exchange.text("commands.status.linked", account=linking.masked_account(user)),
        exchange.text(f"commands.status.{state}"),
    ]
    with workspace_scope(link.workspace_id):
        quiet = settings.preferences_of(user).quiet_hours
    if quiet:
        lines.append(
            exchange.text("commands.status.quiet", start=quiet["start"], end=quiet["end"], timezone=user.timezone)
        )
    exchange.send(Content("\n".join(lines), buttons=_leave(exchange)))


def _leave(exchange: ChatContext) -> Rows:
    """Only in a private chat: in a group everybody would see the button, and few may press it."""
    return links.leave_button(exchange) if exchange.chat.is_private else ()
