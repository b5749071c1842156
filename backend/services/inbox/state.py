"""What members, assistants and the passing of time change in a conversation, one at a time.

Statuses: `bot` (the assistant answers), `open` (a person is to answer), `waiting` (we answered last), `snoozed`,
`closed`. What people's messages change is `inbound_state`. Every function takes a conversation that its caller has
locked (`lock`), works in the caller's transaction and in the workspace's scope, and live connections hear of it.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from sqlalchemy import select

from backend.core import clock
from backend.core.database import db
from backend.core.errors import Conflict
from backend.models import Conversation, Message
from backend.services.inbox import assistants

OPEN: Final = "open"
BOT: Final = "bot"
WAITING: Final = "waiting"
SNOOZED: Final = "snoozed"
CLOSED: Final = "closed"
WINDOW_CLOSED: Final = "closed"
"""The `reply_reason` of a window that the provider has said is closed."""
BY_PEOPLE: Final = frozenset({"console", "api", "provider", "phone"})
"""Ways by which a person of the workspace answers; `assistant` is the only other that counts as an answer."""


def lock(conversation_id: int) -> Conversation | None:
    """The conversation, locked and read again; None where there is none in scope."""
    return db.session.execute(
        select(Conversation)
        .where(Conversation.id == conversation_id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    ).scalar_one_or_none()


def take_over(conversation: Conversation, user_id: int | None = None) -> None:
    """Has people answer from now on, and the assistant be silent. Who took over becomes the assignee where there is
    none; with None (somebody in the provider's own application) nobody is assigned."""
    if conversation.status in (BOT, SNOOZED, CLOSED, None):
        _set_status(conversation, OPEN)
    if user_id is not None and conversation.assignee_id is None:
        conversation.assignee_id = user_id
    if conversation.unread_count and conversation.waiting_since is None:
        conversation.waiting_since = clock.now()
    _enter(conversation)
    db.session.flush()


def hand_back(conversation: Conversation) -> None:
    """Gives the conversation back to the assistant, and to nobody in particular. Raises Conflict (no_assistant)."""
    if not assistants.answers(conversation.workspace_id, conversation.sender_id):
        raise Conflict("no_assistant", "No assistant answers these conversations.")
    _set_status(conversation, BOT)
    conversation.assignee_id = None
    conversation.waiting_since = None
    db.session.flush()


def hand_over(conversation: Conversation) -> None:
    """The assistant gives the conversation to people; whoever waits does so since now, where not before."""
    _set_status(conversation, OPEN)
    conversation.waiting_since = conversation.waiting_since or clock.now()
    db.session.flush()


def close(conversation: Conversation) -> None:
    """Ends the conversation until the person writes again or somebody opens it."""
    _set_status(conversation, CLOSED)
    conversation.waiting_since = conversation.remind_at = None
    conversation.unread_count = 0
    db.session.flush()


def reopen(conversation: Conversation) -> None:
    """Opens a conversation that is closed or snoozed, for people."""
    if conversation.status in (CLOSED, SNOOZED):
        _set_status(conversation, _after_snooze(conversation))
    db.session.flush()


def snooze(conversation: Conversation, until: datetime | None = None, until_reply: bool = False) -> None:
    """Puts the conversation aside: until a moment (aware), or `until_reply`. The person's next message ends either.

    Raises ValueError without exactly one of the two, Conflict (already_closed) for a closed one.
    """
    if (until is None) is not until_reply:
        raise ValueError("a snooze has a moment, or lasts until the next message")
    if conversation.status == CLOSED:
        raise Conflict("already_closed", "The conversation is closed.")
    if conversation.status != SNOOZED:
        conversation.status_before = conversation.status
        conversation.status = SNOOZED
    conversation.snoozed_until, conversation.snoozed_until_reply = until, until_reply
    db.session.flush()


def wake(conversation: Conversation) -> None:
    """Ends a snooze whose moment has come: back to the status of before."""
    if conversation.status == SNOOZED:
        _set_status(conversation, _after_snooze(conversation))
    db.session.flush()


def assign(conversation: Conversation, user_id: int | None) -> None:
    """Gives the conversation to a member of the workspace, or to nobody."""
    conversation.assignee_id = user_id
    if user_id is not None and conversation.status == BOT:
        take_over(conversation)
    db.session.flush()


def mark_read(conversation: Conversation) -> None:
    """Somebody has seen all that the person wrote."""
    conversation.unread_count = 0
    db.session.flush()


def mark_unread(conversation: Conversation) -> None:
    """Somebody wants it to be seen again."""
    conversation.unread_count = max(1, conversation.unread_count)
    db.session.flush()


def note_outbound(conversation: Conversation, message: Message) -> None:
    """Notes an answer, by the message's `via`: a person's takes over and makes the conversation wait for the other
    side; an assistant's leaves it the assistant's. Anything else (notifications, automatic answers) changes nothing."""
    via = message.via
    if via not in BY_PEOPLE and via != "assistant":
        return
    at = message.at
    if conversation.last_activity_at is None or at >= conversation.last_activity_at:
        conversation.last_activity_at, conversation.last_message_id = at, message.id
    if via in BY_PEOPLE:
        conversation.answered_at = conversation.answered_at or clock.now()
        if conversation.status == SNOOZED:
            conversation.status_before = WAITING
        else:
            _set_status(conversation, WAITING)
        conversation.unread_count = 0
        conversation.remind_at = None
        if via == "console" and message.author_user_id is not None and conversation.assignee_id is None:
            conversation.assignee_id = message.author_user_id
        _enter(conversation)
    conversation.waiting_since = None
    db.session.flush()


def close_window(conversation: Conversation) -> None:
    """Notes that the provider takes no free answers any more, whatever was thought; the next message opens again."""
    now = clock.now()
    if conversation.reply_until is None or conversation.reply_until > now:
        conversation.reply_until = now
    conversation.reply_reason, conversation.remind_at = WINDOW_CLOSED, None
    db.session.flush()


def set_in_charge(conversation: Conversation, who: str) -> None:
    """Notes who may answer at the provider: `us`, `other` or `page_inbox`. Where it is not us, no assistant answers."""
    conversation.in_charge = who
    if who != "us" and conversation.status == BOT:
        _set_status(conversation, OPEN)
    db.session.flush()


def _set_status(conversation: Conversation, status: str) -> None:
    conversation.status = status
    conversation.status_before = conversation.snoozed_until = None
    conversation.snoozed_until_reply = False


def _after_snooze(conversation: Conversation) -> str:
    """Where a snooze, or a reopening, leads: to the assistant only where it was the assistant's, else to people."""
    before = conversation.status_before
    return before if before in (BOT, WAITING) and conversation.status == SNOOZED else OPEN


def _enter(conversation: Conversation) -> None:
    """A conversation that somebody answers in is in the inbox."""
    if not conversation.in_inbox:
        conversation.in_inbox = True
        conversation.status = conversation.status or OPEN
        conversation.last_activity_at = conversation.last_activity_at or clock.now()
