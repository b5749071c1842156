"""`/start /help /link /status /stop`, and what is said to somebody who wrote something else."""

from __future__ import annotations

from backend.channels.base import Content
from backend.channels.inbound import Command
from backend.core.database import workspace_scope
from backend.services import linking
from backend.services.auth.attribution import TELEGRAM
from backend.services.bots.command_menu import COMMANDS
from backend.services.contacts import bot_opt_in
from backend.services.intake.answer_limits import HOW_TO
from backend.services.intake.commands import links, opt_in
from backend.services.intake.commands.chat_context import ChatContext, Rows
from backend.services.notifications import settings


def start(context: ChatContext, command: Command) -> None:
    """Ends a block, a pause or an objection; asks what an invitation asks; tells a stranger how to link."""
    linking.restore_chat(context.sender.id, context.hashed)
    if context.chat.is_private and context.may_decide and context.person is not None and context.workspace_id:
        bot_opt_in.started(context.workspace_id, context.person.id)
    if command.payload and opt_in.ask(context, command.payload):
        return
    if context.link is None or context.user is None:
        _explain(context)
        return
    if context.may_decide:
        linking.resume(TELEGRAM, context.link)
        context.send_reply("commands.start.linked", account=linking.masked_account(context.user))
    elif context.link.paused_at is not None:
        links.refuse_member(context)
    else:
        _status(context)


def help_(context: ChatContext, _command: Command) -> None:
    """Lists the commands."""
    lines = [f"/{name} – {context.text(f'commands.menu.{name}')}" for name in COMMANDS]
    context.send_reply("commands.help", commands="\n".join(lines))


def link(context: ChatContext, _command: Command) -> None:
    """Without a token: says how linking goes, or to whom the chat is linked."""
    if context.link is None or context.user is None:
        _explain(context)
    else:
        context.send_reply("linking.already", buttons=_leave(context), account=linking.masked_account(context.user))


def status(context: ChatContext, _command: Command) -> None:
    """Says whose chat this is and whether notifications come."""
    _status(context)


def stop(context: ChatContext, _command: Command) -> None:
    """Pauses notifications until `/start`."""
    if context.link is None:
        context.send_reply("commands.stop.not_linked")
    elif not context.may_decide:
        links.refuse_member(context)
    else:
        linking.pause(TELEGRAM, context.link)
        context.send_reply("commands.stop.paused")


def unknown(context: ChatContext, _command: Command) -> None:
    """Says that there is no such command, and which there are."""
    context.send_reply("commands.unknown", commands=" ".join(f"/{name}" for name in COMMANDS))


def hint(context: ChatContext) -> None:
    """Tells a stranger who writes anything else how to link, at most once an hour."""
    if not context.was_hinted():
        _explain(context)


def _explain(context: ChatContext) -> None:
    code = "linking.how_to" if context.chat.is_private else "linking.how_to_group"
    context.send_reply(code, kind=HOW_TO, bot=f"@{context.sender.username or context.sender.name}")


def _status(context: ChatContext) -> None:
    link, user = context.link, context.user
    if link is None or user is None:
        context.send_reply("commands.status.not_linked")
        return
    state = "blocked" if link.state != "active" else "paused" if link.paused_at is not None else "on"
    lines = [
        context.text("commands.status.linked", account=linking.masked_account(user)),
        context.text(f"commands.status.{state}"),
    ]
    with workspace_scope(link.workspace_id):
        quiet = settings.preferences_of(user).quiet_hours
    if quiet:
        lines.append(
            context.text("commands.status.quiet", start=quiet["start"], end=quiet["end"], timezone=user.timezone)
        )
    context.send(Content("\n".join(lines), buttons=_leave(context)))


def _leave(context: ChatContext) -> Rows:
    """Only in a private chat: in a group everybody would see the button, and few may press it."""
    return links.leave_button(context) if context.chat.is_private else ()
