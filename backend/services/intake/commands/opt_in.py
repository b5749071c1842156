"""Agreeing in a chat with a bot: the question that an invitation opens, and its buttons `optin:…`."""

from __future__ import annotations

from typing import Final

from backend.channels.base import Button, Content
from backend.services.contacts import bot_opt_in
from backend.services.contacts.bot_opt_in import Invitation
from backend.services.intake.commands.chat_context import ChatContext

_DIGEST: Final = 8
"""Letters of the wording's digest that a button carries: it has room for 64 bytes."""
_NIGHT: Final = "n"


def ask(context: ChatContext, payload: str) -> bool:
    """Asks what an invitation asks; False where the payload is none for this chat."""
    invitation = _of_chat(context, payload)
    question = None if invitation is None else bot_opt_in.question_of(invitation)
    if question is None:
        return False
    if question.agreed_at is not None:
        context.send_reply("commands.opt_in.already", workspace=question.workspace)
        return True
    data = f"optin:{payload}:{question.digest[:_DIGEST]}"
    buttons = [(Button(context.text("commands.opt_in.button"), data=data),)]
    if question.asks_night:
        buttons.append((Button(context.text("commands.opt_in.button_night"), data=data + _NIGHT),))
    context.send_reply(
        "commands.opt_in.ask", buttons=tuple(buttons), workspace=question.workspace, wording=question.wording
    )
    return True


def press(context: ChatContext, payload: str, argument: str) -> str | None:
    """Acts on the button of a question; returns what the presser is told, None for one that is over."""
    invitation = _of_chat(context, payload)
    digest, night = argument[:_DIGEST], argument[_DIGEST:]
    if invitation is None or context.person is None or len(digest) != _DIGEST or night not in ("", _NIGHT):
        return None
    if not bot_opt_in.agree(invitation, digest, context.person.id, night_ok=night == _NIGHT):
        return None
    text = context.text("commands.opt_in.done")
    context.rewrite(Content(text))
    return text


def _of_chat(context: ChatContext, payload: str) -> Invitation | None:
    """The invitation, in a private chat with a bot of the workspace that made it."""
    invitation = bot_opt_in.read(payload)
    if invitation is None or not context.chat.is_private or not context.may_decide:
        return None
    return invitation if context.workspace_id == invitation.workspace_id else None
