"""The outbox: the functions with which every service sends to a provider, and the only ones.

Each stores what is to be said in the caller's transaction and returns; the dispatch loop, nudged after the commit, says
it. Nothing here talks to a network.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime, timedelta
from enum import IntEnum
from typing import Any

from sqlalchemy import delete as sql_delete
from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert

from backend.channels import registry
from backend.channels.base import Content
from backend.channels.fitting import Fitted
from backend.channels.forms import AS_MEANT, Form
from backend.core import clock, queue
from backend.core.database import db
from backend.models import Conversation, Delivery, Message, MessageKey, Sender
from backend.services.delivery import gate, message_store

REPLY_LIFE = timedelta(hours=1)
NOTIFICATION_LIFE = timedelta(hours=24)
_CALLBACK_LIFE = timedelta(seconds=30)
_TYPING_LIFE = timedelta(seconds=5)


_answers_presses: ContextVar[bool] = ContextVar("answers_presses", default=True)


class Priority(IntEnum):
    """Who goes first. Of a sender's pace notifications keep a fifth and bulk a tenth whatever else waits."""

    REPLY = 0
    NOTIFICATION = 1
    BULK = 2


def send(
    conversation: Conversation,
    content: Content,
    *,
    kind: str,
    lane: Priority = Priority.NOTIFICATION,
    key: str | None = None,
    not_before: datetime | None = None,
    reason: str = "queued",
    at_most_once: bool = False,
    expires_in: timedelta | None = NOTIFICATION_LIFE,
    user_id: int | None = None,
    reply_to: str | None = None,
    thread_id: str | None = None,
    via: str | None = None,
    author_user_id: int | None = None,
    human_agent: bool = False,
) -> Message:
    """Stores a message and what it takes to send it; the same `key` in a workspace returns the first message.

    `not_before` (aware) keeps it waiting with `reason`; `expires_in` counts from then. With `at_most_once` an unknown
    outcome is shown to an operator and never tried again. `thread_id` is a topic of the chat. A conversation that is
    blocked gets a canceled message that says so; what the channel cannot carry is left out, and its words stay.
    `via` and `author_user_id` say how it was written and by which member (`models.Message`). `human_agent` marks a
    person's own reply, for providers that let people answer for longer.
    """
    now = clock.now()
    spec = registry.spec(conversation.channel)
    fitted = Fitted.of(content, spec)
    refused = _refusal(conversation, content, human_agent) or fitted.code
    due_at, expires_at = _times(now, not_before, expires_in)
    fields = {"kind": kind, "lane": int(lane), "at_most_once": at_most_once, "user_id": user_id, "created_at": now}
    fields |= {"state": "canceled" if refused else "queued", "error": refused, "via": via}
    fields |= {"author_user_id": author_user_id, "reply_to": reply_to if spec.capabilities.reply_to else None}
    fields |= {"body": _body_of(conversation, fitted, thread_id, human_agent), "happened_at": _later(due_at, now)}
    message = message_store.store(conversation, fields, key=key, due_at=due_at, expires_at=expires_at, reason=reason)
    if message is not None and not refused:
        queue.nudge()
    return message or _first_of(conversation.workspace_id, key or "")


def _refusal(conversation: Conversation, content: Content, human_agent: bool) -> str | None:
    return gate.refusal(conversation, is_template=content.template is not None, is_human_agent=human_agent)


def _later(moment: datetime, now: datetime) -> datetime | None:
    return moment if moment > now else None


def _times(
    now: datetime, not_before: datetime | None, expires_in: timedelta | None
) -> tuple[datetime, datetime | None]:
    due_at = max(now, not_before) if not_before else now
    return due_at, due_at + expires_in if expires_in else None


def _body_of(
    conversation: Conversation, fitted: Fitted, thread_id: str | None, human_agent: bool = False
) -> dict[str, Any]:
    body = parts_of(conversation.channel, fitted)
    return body | ({"thread_id": thread_id} if thread_id else {}) | ({"human_agent": True} if human_agent else {})


def parts_of(channel: str, fitted: Fitted) -> dict[str, Any]:
    """The parts that a message of this content has, with its form unless it is said as it was meant."""
    if fitted.code is not None:
        return {"parts": [fitted.content.to_json()]}
    parts = [part.to_json() for part in registry.get(channel).split(fitted.content, fitted.form)]
    return {"parts": parts} | ({} if fitted.form == AS_MEANT else {"form": fitted.form.to_json()})


def _first_of(workspace_id: int, key: str) -> Message:
    """The message that took this key before."""
    first = by_key(workspace_id, key)
    if first is None:
        raise RuntimeError("an idempotency key without its message")
    return first


def release(
    message: Message, content: Content | None = None, *, not_before: datetime | None = None, reason: str = "queued"
) -> bool:
    """Makes a message that waits for something here (a file, a decision) due now, with `content` if given.

    With `not_before` (aware) it goes on waiting until then, with `reason`. A message that was canceled or has already
    begun stays as it is: False.
    """
    lock(message)
    known = (
        db.session.execute(
            select(Delivery)
            .where(Delivery.message_id == message.id, Delivery.operation == "send")
            .with_for_update()
            .execution_options(populate_existing=True)
        )
        .scalars()
        .all()
    )
    if len(known) != len(message.body["parts"]) or any(row.state != "due" for row in known):
        return False
    if content is not None:
        _replace_parts(message, content, known[0])
    now = clock.now()
    db.session.execute(
        update(Delivery)
        .where(Delivery.message_id == message.id, Delivery.state == "due", Delivery.operation == "send")
        .values(due_at=max(now, not_before) if not_before else now, reason=reason)
        .execution_options(synchronize_session=False)
    )
    queue.nudge()
    return True


@contextmanager
def presses_unanswered() -> Iterator[None]:
    """Inside, `answer_callback` stores nothing: so many buttons were pressed in the chat that others would wait."""
    token = _answers_presses.set(False)
    try:
        yield
    finally:
        _answers_presses.reset(token)


def answer_callback(
    sender: Sender, callback_id: str, text: str = "", *, alert: bool = False, workspace_id: int
) -> None:
    """Answers a pressed button. Worthless after some seconds, so it expires soon and keeps no order."""
    if not _answers_presses.get():
        return
    payload = {"external_id": callback_id, "text": text, "show_alert": alert}
    _insert_ephemeral(sender.id, workspace_id, "answer_callback", payload, _CALLBACK_LIFE)


def chat_action(conversation: Conversation, action: str = "typing", about: str | None = None) -> None:
    """Shows that an answer is being written (or `mark_read`: that it was read), where the channel can; expires within
    seconds. `about` is the provider's id of the person's message, which some channels ask for."""
    if not registry.spec(conversation.channel).capabilities.typing:
        return
    payload = {"text": action, "conversation_id": conversation.id, "external_id": about}
    _insert_ephemeral(
        conversation.sender_id,
        conversation.workspace_id,
        "chat_action",
        payload,
        _TYPING_LIFE,
        conversation_id=conversation.id,
    )


def _replace_parts(message: Message, content: Content, like: Delivery) -> None:
    channel = channel_of(message)
    parts = parts_of(channel, Fitted.of(content, registry.spec(channel), form_of(message)))
    message.body = {**message.body, **parts}
    db.session.flush()
    db.session.execute(
        sql_delete(Delivery)
        .where(Delivery.message_id == message.id, Delivery.operation == "send")
        .execution_options(synchronize_session="fetch")
    )
    conversation = conversation_of(message)
    insert_deliveries(
        [
            row_of(message, conversation, "send", part, due_at=clock.now()) | {"expires_at": like.expires_at}
            for part in range(len(parts["parts"]))
        ]
    )


def row_of(
    message: Message,
    conversation: Conversation,
    operation: str,
    part: int,
    *,
    due_at: datetime,
    reason: str = "queued",
) -> dict[str, Any]:
    """The delivery of one part's operation, as plain values."""
    return {
        "workspace_id": message.workspace_id,
        "sender_id": message.sender_id,
        "conversation_id": conversation.id,
        "message_id": message.id,
        "part": part,
        "operation": operation,
        "chat_key": conversation.chat_key,
        "lane": message.lane,
        "due_at": due_at,
        "expires_at": due_at + NOTIFICATION_LIFE,
        "state": "due",
        "epoch": 0,
        "attempts": 0,
        "reason": reason,
        "at_most_once": message.at_most_once and operation == "send",
    }


def form_of(message: Message) -> Form:
    """The form that the message has reached; see `channels.forms`."""
    return Form.from_json(message.form)


def insert_deliveries(rows: list[dict[str, Any]]) -> None:
    """Stores operations; one that is open already is not opened twice, as it renders the newest version anyway."""
    if rows:
        db.session.execute(insert(Delivery).on_conflict_do_nothing(), rows)


def _insert_ephemeral(
    sender_id: int,
    workspace_id: int,
    operation: str,
    payload: dict[str, Any],
    life: timedelta,
    conversation_id: int | None = None,
) -> None:
    now = clock.now()
    db.session.add(
        Delivery(
            workspace_id=workspace_id,
            sender_id=sender_id,
            conversation_id=conversation_id,
            operation=operation,
            lane=int(Priority.REPLY),
            due_at=now,
            expires_at=now + life,
            payload=payload,
        )
    )
    db.session.flush()
    queue.nudge()


def lock(message: Message) -> None:
    """Locks a message and reads it again; whoever locks deliveries too locks the message first."""
    db.session.refresh(message, with_for_update=True)


def channel_of(message: Message) -> str:
    """The name of the message's channel."""
    return conversation_of(message).channel


def conversation_of(message: Message) -> Conversation:
    """The message's conversation."""
    conversation = db.session.get(Conversation, message.conversation_id)
    if conversation is None:
        raise RuntimeError("a message without its conversation")
    return conversation


def by_key(workspace_id: int, key: str) -> Message | None:
    """The message that was stored under this key in the workspace."""
    return db.session.execute(
        select(Message)
        .join(MessageKey, (MessageKey.message_id == Message.id) & (MessageKey.workspace_id == Message.workspace_id))
        .where(MessageKey.workspace_id == workspace_id, MessageKey.key == key)
    ).scalar_one_or_none()
