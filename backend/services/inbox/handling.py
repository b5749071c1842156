"""What people do with a conversation besides answering: take it, give it, close it, put it off, read it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import func, select

from backend.channels import registry
from backend.core import clock
from backend.core.database import db
from backend.core.errors import Conflict, Invalid, NotFound
from backend.models import Conversation, Message
from backend.services import delivery, live
from backend.services.auth import audit
from backend.services.auth.attribution import Attribution
from backend.services.inbox import access, assignment_queue, assignment_rules, state

MAX_SNOOZE: Final = timedelta(days=366)


def take_over(by: Attribution, conversation_id: int) -> Conversation:
    """A person answers from now on, and the assistant is silent. Raises NotFound."""
    conversation = access.conversation(by.user_id, conversation_id, lock=True)
    state.take_over(conversation, by.user_id)
    return _done(by, conversation, "taken_over")


def hand_back(by: Attribution, conversation_id: int) -> Conversation:
    """The assistant answers again. Raises NotFound, Conflict (no_assistant)."""
    conversation = access.conversation(by.user_id, conversation_id, lock=True)
    state.hand_back(conversation)
    conversation.assignment_due = False
    return _done(by, conversation, "handed_back", frees=True)


def assign(by: Attribution, conversation_id: int, user_id: int | None, *, by_rules: bool = False) -> Conversation:
    """Gives a conversation to a person, to nobody, or with `by_rules` to whom the rules choose.

    Raises NotFound (also for a person who may not see it), Invalid (person_cannot_answer).
    """
    conversation = access.conversation(by.user_id, conversation_id, lock=True)
    if user_id is not None:
        check_assignee(user_id, conversation)
    give(conversation, user_id)
    if by_rules and user_id is None:
        assignment_queue.try_one(conversation)
    return _done(by, conversation, "assigned", frees=True, assignee_id=user_id)


def close(by: Attribution, conversation_id: int) -> Conversation:
    """Nothing is to be done; the person's next message opens it again. Raises NotFound."""
    conversation = access.conversation(by.user_id, conversation_id, lock=True)
    state.close(conversation)
    return _done(by, conversation, "closed", frees=True)


def reopen(by: Attribution, conversation_id: int) -> Conversation:
    """A person is to answer after all. Raises NotFound."""
    conversation = access.conversation(by.user_id, conversation_id, lock=True)
    state.reopen(conversation)
    if conversation.assignee_id is None:
        assignment_queue.try_one(conversation)
    return _done(by, conversation, "reopened")


def snooze(by: Attribution, conversation_id: int, until: datetime | None, *, until_reply: bool = False) -> Conversation:
    """Puts a conversation off until a moment (aware), or until the person writes, which ends any snooze.

    Raises NotFound, Invalid, Conflict (already_closed).
    """
    check_snooze(until, until_reply=until_reply)
    conversation = access.conversation(by.user_id, conversation_id, lock=True)
    state.snooze(conversation, until, until_reply)
    return _done(by, conversation, "snoozed", frees=True)


def mark_read(by: Attribution, conversation_id: int, up_to: int | None = None) -> Conversation:
    """Nothing is unread up to a message, or at all. Raises NotFound."""
    conversation = access.conversation(by.user_id, conversation_id, lock=True)
    unread = 0
    if up_to is not None:
        unread = min(conversation.unread_count, _inbound_after(conversation, up_to))
    if unread != conversation.unread_count:
        conversation.unread_count = unread
        db.session.flush()
        live.note(conversation.workspace_id, "conversations", conversation_id=conversation.id)
    return conversation


def show_typing(by: Attribution, conversation_id: int) -> Conversation:
    """The person there sees that somebody writes, where the channel can show it. Raises NotFound."""
    conversation = access.conversation(by.user_id, conversation_id)
    may_write = conversation.in_charge == "us" and conversation.blocked_code is None
    if may_write and registry.spec(conversation.channel).capabilities.typing:
        delivery.chat_action(conversation)
    return conversation


def give(conversation: Conversation, user_id: int | None) -> None:
    """Gives a locked conversation to somebody or nobody; the assistant is silent where a person has it."""
    state.assign(conversation, user_id)
    conversation.assignment_due = False


def check_assignee(user_id: int, conversation: Conversation | None = None) -> None:
    """Raises NotFound for a person who is not here or may not see it, Invalid for one who may not write."""
    assignment_rules.check_people([user_id], "assignee_id")
    if conversation is not None:
        try:
            access.conversation(user_id, conversation.id)
        except NotFound:
            raise NotFound("person_not_found", "There is no such person here.") from None


def check_snooze(until: datetime | None, *, until_reply: bool) -> None:
    """Raises Invalid for an end that is none."""
    if (until is None) is not until_reply:
        raise Invalid.of("until", "snooze_end", "Say until when, or until the person writes; whoever writes ends both.")
    if until is not None and not clock.now() < until <= clock.now() + MAX_SNOOZE:
        raise Invalid.of("until", "snooze_end", "The end is a moment to come, within a year.")


def _inbound_after(conversation: Conversation, message_id: int) -> int:
    known = select(Message.id).where(Message.id == message_id, Message.conversation_id == conversation.id)
    if db.session.scalar(known) is None:
        raise NotFound("message_not_found", "There is no such message in this conversation.")
    query = (
        select(func.count())
        .select_from(Message)
        .where(Message.conversation_id == conversation.id, Message.id > message_id, Message.direction == "in")
    )
    return int(db.session.scalar(query) or 0)


def _done(
    by: Attribution, conversation: Conversation, what: str, *, frees: bool = False, **detail: int | None
) -> Conversation:
    db.session.flush()
    audit.record(by, f"conversation.{what}", f"conversation:{conversation.id}", None, **detail)
    live.note(conversation.workspace_id, "conversations", conversation_id=conversation.id)
    if frees:
        # Whoever had it has room for another one.
        assignment_queue.try_again()
    return conversation


def take_control(by: Attribution, conversation_id: int) -> Conversation:
    """Notes that the provider lets us answer again; the caller has asked it. Raises NotFound."""
    conversation = access.conversation(by.user_id, conversation_id, lock=True)
    state.set_in_charge(conversation, "us")
    state.take_over(conversation, by.user_id)
    return _done(by, conversation, "control_taken")


def require_control_elsewhere(by: Attribution, conversation_id: int) -> Conversation:
    """A conversation in which somebody else is in charge. Raises NotFound, Conflict (already_in_charge)."""
    conversation = access.conversation(by.user_id, conversation_id)
    if conversation.in_charge == "us":
        raise Conflict("already_in_charge", "You are in charge of this conversation already.")
    return conversation
