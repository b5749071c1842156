"""The conversations of the inbox that a person may see; any other does not exist for them."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Select, and_, select

from backend.core.database import db
from backend.core.errors import NotFound
from backend.models import Conversation, Message
from backend.services.conversations import visibility


def condition(user_id: int | None) -> ColumnElement[bool]:
    """Whether a conversation is in the inbox and may be seen by this person; None sees the workspace's only."""
    return and_(Conversation.in_inbox, visibility.visible_to(user_id))


def conversation(user_id: int | None, conversation_id: int, *, lock: bool = False) -> Conversation:
    """A conversation of the workspace in scope. With `lock` whoever changes it comes one after the other.

    Raises NotFound.
    """
    query = select(Conversation).where(Conversation.id == conversation_id, condition(user_id))
    row = _single_row(query.with_for_update(of=Conversation) if lock else query)
    if row is None:
        raise NotFound("conversation_not_found", "There is no such conversation.")
    return row


def message(user_id: int | None, message_id: int, *, lock: bool = False) -> tuple[Message, Conversation]:
    """A message with its conversation, which is locked with `lock`. Raises NotFound."""
    query = (
        select(Message, Conversation)
        .join(Conversation, Conversation.id == Message.conversation_id)
        .where(Message.id == message_id, condition(user_id))
    )
    row = db.session.execute(query.execution_options(populate_existing=True)).one_or_none()
    if row is None:
        raise NotFound("message_not_found", "There is no such message.")
    if lock:
        # The conversation first, as everybody locks them.
        conversation(user_id, row[1].id, lock=True)
        db.session.refresh(row[0])
    return row[0], row[1]


def visible_ids(user_id: int | None, conversation_ids: list[int], *, lock: bool = False) -> list[Conversation]:
    """Of these conversations those that the person may see, by id."""
    query = select(Conversation).where(Conversation.id.in_(conversation_ids), condition(user_id))
    query = query.order_by(Conversation.id)
    if lock:
        query = query.with_for_update(of=Conversation)
    return list(db.session.scalars(query.execution_options(populate_existing=True)))


def _single_row(query: Select[Any]) -> Conversation | None:
    row: Conversation | None = db.session.scalars(query.execution_options(populate_existing=True)).one_or_none()
    return row
