"""Answers about links: what became of a token, and the buttons `link:…`."""

from __future__ import annotations

from backend.channels.base import Button, Content
from backend.services import linking
from backend.services.intake.commands.chat_context import ChatContext


def answer_redemption(exchange: ChatContext, redemption: linking.Redemption) -> None:
    """Tells the chat what became of its token."""
    link, user = redemption.link, redemption.user
    if redemption.outcome == "linked" and link is not None and user is not None:
        exchange.send(linking.linked_content(link, user, group=exchange.chat.is_group), kind="linked")
    elif redemption.outcome == "already" and user is not None:
        exchange.say("linking.already", account=linking.masked_account(user))
    elif redemption.outcome == "elsewhere" and exchange.link is not None and exchange.user is not None:
        exchange.say(
            "linking.elsewhere",
            buttons=leave_button(exchange),
            account=linking.masked_account(exchange.user),
        )
    else:
        exchange.say(f"linking.{redemption.outcome}")


def refuse_member(exchange: ChatContext) -> None:
    """Tells somebody in a group that this is not theirs to decide, or that nobody could be asked."""
    exchange.say("linking.group_admin_only" if exchange.facts.is_admin is False else "linking.group_check_failed")


def leave_button(exchange: ChatContext) -> tuple[tuple[Button, ...], ...]:
    """The button with which a chat ends its own link."""
    if exchange.link is None:
        return ()
    return ((Button(exchange.text("linking.button.leave"), data=f"link:leave:{exchange.link.id}"),),)


def press(exchange: ChatContext, action: str, argument: str) -> str | None:
    """Acts on a `link:…` button; returns what the presser is told, None for a button that is over."""
    if not (argument.isascii() and argument.isdigit() and len(argument) < 19):
        return None
    number = int(argument)
    if action in ("notme", "leave"):
        return _end(exchange, action, number)
    if action in ("confirm", "refuse"):
        return _confirm(exchange, action, number)
    return None


def _end(exchange: ChatContext, action: str, link_id: int) -> str | None:
    link, user = exchange.link, exchange.user
    if link is None or user is None or link.id != link_id:
        return None
    done = "linking.refused" if action == "notme" else "linking.left"
    text = exchange.text(done, account=linking.masked_account(user))
    exchange.left()
    if action == "notme":
        linking.refuse("telegram", link)
    else:
        linking.unlink("telegram", link, tell=False)
    exchange.rewrite(Content(text))
    return text


def _confirm(exchange: ChatContext, action: str, confirmation_id: int) -> str | None:
    found = linking.find_confirmation(exchange.sender, confirmation_id, exchange.chat.id)
    if found is None or exchange.person is None:
        return None
    if action == "refuse":
        linking.refuse_confirmation(found)
        text = exchange.text("linking.confirm.refused")
        exchange.move_to(found.token.workspace_id)
        exchange.rewrite(Content(text))
        return text
    redemption = linking.accept_confirmation(found, exchange.sender, exchange.chat, exchange.person)
    link, user = redemption.link, redemption.user
    if link is None or user is None:
        return exchange.text(
            f"linking.answer.{redemption.outcome}" if redemption.outcome == "elsewhere" else "commands.gone"
        )
    exchange.follow(redemption)
    exchange.rewrite(linking.linked_content(link, user, group=exchange.chat.is_group))
    return exchange.text("linking.answer.linked")
