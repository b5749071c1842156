"""Reads reported events, and the messages that were made of them."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import select

from backend.core.database import db
from backend.core.errors import NotFound
from backend.models import Message, NotificationEvent
from backend.services import delivery, paging


def event(event_id: int) -> NotificationEvent:
    """An event of the workspace in scope. Raises NotFound."""
    row = db.session.get(NotificationEvent, event_id)
    if row is None:
        raise NotFound("event_not_found", "There is no such event.")
    return row


def events(
    *,
    type_name: str | None = None,
    user_id: int | None = None,
    decision: str | None = None,
    cursor: str | None = None,
    limit: int = paging.DEFAULT_LIMIT,
) -> tuple[list[NotificationEvent], str | None]:
    """The workspace's events, newest first."""
    query = select(NotificationEvent)
    if type_name is not None:
        query = query.where(NotificationEvent.type == type_name)
    if user_id is not None:
        query = query.where(NotificationEvent.user_id == user_id)
    if decision is not None:
        query = query.where(NotificationEvent.decision == decision)
    return paging.page(query, NotificationEvent.id, cursor=cursor, limit=limit)


_MESSAGE: Final = (
    *delivery.STATUS_COLUMNS,
    Message.conversation_id,
    Message.user_id,
    Message.kind,
    Message.created_at,
    Message.sent_at,
    Message.delivered_at,
    Message.read_at,
)


def message(message_id: int) -> Any:
    """An outbound or inbound message of the workspace in scope, as rows of `messages` are. Raises NotFound."""
    row = db.session.execute(select(*_MESSAGE).where(Message.id == message_id)).one_or_none()
    if row is None:
        raise NotFound("message_not_found", "There is no such message.")
    return row


def messages(
    *,
    conversation_id: int | None = None,
    user_id: int | None = None,
    kind: str | None = None,
    cursor: str | None = None,
    limit: int = paging.DEFAULT_LIMIT,
) -> tuple[list[Any], str | None]:
    """The workspace's outbound messages, newest first: rows with what is shown of them, without their words."""
    query = select(*_MESSAGE).where(Message.direction == "out")
    if conversation_id is not None:
        query = query.where(Message.conversation_id == conversation_id)
    if user_id is not None:
        query = query.where(Message.user_id == user_id)
    if kind is not None:
        query = query.where(Message.kind == kind)
    return paging.page(query, Message.id, cursor=cursor, limit=limit)
