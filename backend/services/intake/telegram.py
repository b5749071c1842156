"""Handles the inbound events of Telegram bots.

The drain calls `prepare` first, without a transaction, and then `handle` inside the event's transaction and in the
system scope. Kinds that nothing here reacts to have been recorded by the intake already.
"""

from __future__ import annotations

from contextlib import nullcontext

from backend.channels.inbound import (
    ButtonPressed,
    ChatMigrated,
    InboundEvent,
    MembershipChanged,
    MessageReceived,
)
from backend.core import clock
from backend.core.database import workspace_scope
from backend.models import Sender
from backend.services import alerts, conversations, delivery, linking, notifications, senders
from backend.services.intake import commands, handlers, received
from backend.services.intake.activity import note_activity as note_activity
from backend.services.intake.commands.chat_context import ChatContext, Facts


def prepare(sender: Sender, event: InboundEvent) -> Facts:
    """Asks Telegram what has to be known before the event can be handled: in a group, whether who acts administers it.

    A network call of a few seconds at most, and only for what needs it. `sender` may be detached.
    """
    if (asked := _membership_asked(sender, event)) is None:
        return Facts()
    return Facts(is_admin=senders.is_chat_admin(sender, *asked))


def asks_provider(sender: Sender, event: InboundEvent) -> bool:
    """Whether `prepare` asks Telegram something. Reads nothing."""
    return _membership_asked(sender, event) is not None


def _membership_asked(sender: Sender, event: InboundEvent) -> tuple[str, str] | None:
    """The group and the person of whom it has to be known whether they administer it; None where it need not be."""
    if isinstance(event, MessageReceived) and event.sender is not None and commands.needs_admin(sender, event):
        return event.chat.id, event.sender.id
    if isinstance(event, ButtonPressed) and event.chat is not None and commands.press_needs_admin(event):
        return event.chat.id, event.person.id
    return None


def handle(sender: Sender, event: InboundEvent, facts: Facts | None = None) -> None:
    """Does what the event asks for, in the caller's transaction."""
    facts_known = facts or Facts()
    if isinstance(event, MessageReceived):
        _message(sender, event, facts_known)
    elif isinstance(event, ButtonPressed):
        _press(sender, event, facts_known)
    elif isinstance(event, MembershipChanged):
        _membership(sender, event)
    elif isinstance(event, ChatMigrated):
        conversations.rekey(sender.id, event.old, event.new)
    note_activity(sender)


def _message(sender: Sender, event: MessageReceived, facts: Facts) -> None:
    if is_passed_over(event):
        return
    context = ChatContext.open(sender, event.chat, event.sender, facts, event.message_id)
    token = commands.token_in(commands.command_in(sender, event))
    if token is None or not event.proves_sender:
        respond(context, event)
        return
    redemption = None
    if context.may_decide:
        redemption = linking.redeem(sender, token, event.chat, event.sender)
        context.follow(redemption)
    respond(context, event, redemption)


def is_passed_over(event: MessageReceived) -> bool:
    """Whether nothing is done about a message: a channel's posts."""
    return event.channel_post or event.chat.type == "channel"


def is_recorded(context: ChatContext, event: MessageReceived) -> bool:
    """Whether a message is kept in the chat's history: not before the first workspace, as nobody is there to talk to;
    and not a group's own talk, or what somebody else may have written there."""
    if context.workspace_id is None:
        return False
    if not event.proves_sender:
        return event.chat.is_private and event.sender is not None and not event.sender.is_bot
    return event.chat.is_private or commands.command_in(context.sender, event) is not None


def respond(context: ChatContext, event: MessageReceived, redemption: linking.Redemption | None = None) -> None:
    """Records a message and answers it. A redemption is what became of the token that it brought."""
    recorded = is_recorded(context, event)
    if recorded:
        is_command = commands.command_in(context.sender, event) is not None
        context.record(event, is_talk=received.is_talk(event, is_command=is_command))
    if not event.proves_sender:
        if context.workspace_id is not None:
            _refuse_unproven(context, event)
        return
    command = commands.command_in(context.sender, event)
    if not recorded:
        return
    if redemption is not None:
        commands.answer_redemption(context, redemption)
    elif command is not None:
        commands.run(context, command)
    elif context.link is None:
        commands.hint(context)


def _refuse_unproven(context: ChatContext, event: MessageReceived) -> None:
    """A message that may be somebody else's words never redeems a token or runs a command; it is told why."""
    if event.edited or not commands.carries_token(context.sender, event):
        return
    if event.forwarded and event.chat.is_private:
        context.send_reply("linking.forwarded")
    elif event.anonymous and event.chat.is_group:
        context.send_reply("linking.anonymous")


def _press(sender: Sender, event: ButtonPressed, facts: Facts) -> None:
    if event.person.is_bot:
        return
    with nullcontext() if _is_press_answered(sender, event) else delivery.presses_unanswered():
        _act_on_press(sender, event, facts)


def _is_press_answered(sender: Sender, event: ButtonPressed) -> bool:
    """Whether a press is answered: what it asks for is done in any case. Notes it with the chat's conversation."""
    if event.chat is None:
        return True
    known = conversations.by_chat(sender.id, conversations.chat_hash(sender.channel, sender.id, event.chat.id))
    if not known:
        return True
    store, conversation = commands.DirectStore(), known[0]
    history = store.history(conversation)
    if not history.takes_press(clock.unix()):
        return False
    store.keep_history(conversation, history)
    return True


def _act_on_press(sender: Sender, event: ButtonPressed, facts: Facts) -> None:
    if event.data.startswith("notify:") and notifications.press(sender, event):
        return
    if event.data.startswith("alert:") and alerts.press(sender, event):
        return
    context = None
    if event.chat is not None:
        context = ChatContext.open(sender, event.chat, event.person, facts, event.message_id)
    workspace_id = context.workspace_id if context is not None else sender.workspace_id
    if workspace_id is None:
        return
    text = commands.press(context, event.data) if context is not None else commands.gone(event.person)
    with workspace_scope(workspace_id):
        delivery.answer_callback(sender, event.callback_id, text, workspace_id=workspace_id)


def _membership(sender: Sender, event: MembershipChanged) -> None:
    hashed = conversations.chat_hash(sender.channel, sender.id, event.chat.id)
    if event.can_write:
        linking.restore_chat(sender.id, hashed)
        return
    if event.date is not None and any(
        chat.last_inbound_at is not None and chat.last_inbound_at > event.date
        for chat in conversations.by_chat(sender.id, hashed)
    ):
        # Membership has a queue of its own: this person has written to us since, so the news is old.
        return
    code = "blocked" if event.chat.is_private else event.status
    linking.disable_chat(sender.id, hashed, code)
    delivery.block(sender.id, hashed, code)


handlers.register("telegram_bot", prepare, handle)
