"""Applying a watermark: every message from here in a chat up to a moment has reached a state."""

from __future__ import annotations

from typing import Final

from sqlalchemy import select, update

from backend.channels.inbound import WatermarkReceived
from backend.core.database import db
from backend.models import Message, MessagePart, Sender
from backend.services import conversations
from backend.services.receipts.matching import is_in_flight
from backend.services.receipts.progress import RANKS, is_ahead
from backend.services.receipts.status import advance_message

_PAGE: Final = 200


def apply_watermark(sender: Sender, event: WatermarkReceived) -> bool:
    """Moves messages on, from the newest back to the first page in which none moves, in the caller's transaction and in
    the system scope. False while a send in that chat is under way: its record comes after the watermark."""
    chats = [conversation.id for conversation in conversations.of_chat(sender, event.chat)]
    for conversation_id in chats:
        before: int | None = None
        while (before := _apply_page(conversation_id, event, before)) is not None:
            pass
    return not chats or not is_in_flight(chats)


def _apply_page(conversation_id: int, event: WatermarkReceived, before: int | None) -> int | None:
    """Moves one page of messages on; returns where the next page begins, None where none is needed."""
    page = select(Message.id, Message.state, Message.sent_at).where(
        Message.conversation_id == conversation_id, Message.direction == "out"
    )
    if before is not None:
        page = page.where(Message.id < before)
    rows = db.session.execute(page.order_by(Message.id.desc()).limit(_PAGE)).all()
    late = [
        row.id
        for row in rows
        if row.sent_at is not None
        and row.sent_at <= event.until
        and row.state in ("accepted", "sent", "delivered")
        and is_ahead(event.state, row.state)
    ]
    if late:
        _advance(sorted(late), event)
    newer = [row for row in rows if row.sent_at is None or row.sent_at > event.until]
    return rows[-1].id if len(rows) == _PAGE and (late or len(newer) == len(rows)) else None


def _advance(message_ids: list[int], event: WatermarkReceived) -> None:
    messages = (
        db.session.execute(
            select(Message)
            .where(Message.id.in_(message_ids))
            .order_by(Message.id)
            .with_for_update()
            .execution_options(populate_existing=True)
        )
        .scalars()
        .all()
    )
    earlier = [state for state, rank in RANKS.items() if rank < RANKS[event.state] and state != "failed"]
    db.session.execute(
        update(MessagePart)
        .where(MessagePart.message_id.in_(message_ids))
        .where(MessagePart.state.is_(None) | MessagePart.state.in_(earlier))
        .values(state=event.state, state_at=event.until)
        .execution_options(synchronize_session=False)
    )
    for message in messages:
        advance_message(message, event.until)
