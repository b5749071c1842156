"""Answers about links: what became of a token, and the buttons `link:…`."""

from __future__ import annotations

from backend.channels.base import Button, Content
from backend.services import linking
from backend.services.auth.attribution import TELEGRAM
from backend.services.intake.commands.chat_context import ChatContext


def answer_redemption(context: ChatContext, redemption: linking.Redemption) -> None:
    """Tells the chat what became of its token."""
    link, user = redemption.link, redemption.user
    if redemption.outcome == "linked" and link is not None and user is not None:
        context.send(linking.linked_content(link, user, group=context.chat.is_group), kind="linked")
    elif redemption.outcome == "already" and user is not None:
        context.send_reply("linking.already", account=linking.masked_account(user))
    elif redemption.outcome == "elsewhere" and context.link is not None and context.user is not None:
        context.send_reply(
            "linking.elsewhere",
            buttons=leave_button(context),
            account=linking.masked_account(context.user),
        )
    else:
        context.send_reply(f"linking.{redemption.outcome}")


def refuse_member(context: ChatContext) -> None:
    """Tells somebody in a group that this is not theirs to decide, or that nobody could be asked."""
    context.send_reply("linking.group_admin_only" if context.facts.is_admin is False else "linking.group_check_failed")


def leave_button(context: ChatContext) -> tuple[tuple[Button, ...], ...]:
    """The button with which a chat ends its own link."""
    if context.link is None:
        return ()
    return ((Button(context.text("linking.button.leave"), data=f"link:leave:{context.link.id}"),),)


def press(context: ChatContext, action: str, argument: str) -> str | None:
    """Acts on a `link:…` button; returns what the presser is told, None for a button that is over."""
    if not (argument.isascii() and argument.isdigit() and len(argument) < 19):
        return None
    number = int(argument)
    if action in ("notme", "leave"):
        return _end(context, action, number)
    if action in ("confirm", "refuse"):
        return _confirm(context, action, number)
    return None


def _end(context: ChatContext, action: str, link_id: int) -> str | None:
    link, user = context.link, context.user
    if link is None or user is None or link.id != link_id:
        return None
    done = "linking.refused" if action == "notme" else "linking.left"
    text = context.text(done, account=linking.masked_account(user))
    context.left()
    if action == "notme":
        linking.refuse(TELEGRAM, link)
    else:
        linking.unlink(TELEGRAM, link, with_notice=False)
    context.rewrite(Content(text))
    return text


def _confirm(context: ChatContext, action: str, confirmation_id: int) -> str | None:
    confirmation = linking.find_confirmation(context.sender, confirmation_id, context.chat.id)
    if confirmation is None or context.person is None:
        return None
    if action == "refuse":
        linking.refuse_confirmation(confirmation)
        text = context.text("linking.confirm.refused")
        context.move_to(confirmation.token.workspace_id)
        context.rewrite(Content(text))
        return text
    redemption = linking.accept_confirmation(confirmation, context.sender, context.chat, context.person)
    link, user = redemption.link, redemption.user
    if link is None or user is None:
        return context.text(
            f"linking.answer.{redemption.outcome}" if redemption.outcome == "elsewhere" else "commands.gone"
        )
    context.follow(redemption)
    context.rewrite(linking.linked_content(link, user, group=context.chat.is_group))
    return context.text("linking.answer.linked")
