"""Applying a read mark: the other side has read a chat up to and with one of our messages."""

from __future__ import annotations

from typing import Final

from sqlalchemy import func, select, tuple_, update

from backend.channels.inbound import ReadMarkReceived
from backend.core import clock
from backend.core.database import db
from backend.models import Message, MessagePart, Sender
from backend.services.conversations import message_changes
from backend.services.receipts.status import advance_message

_PAGE: Final = 500
"""So many messages that were not read before are moved by one mark; those before them were read long ago."""


def apply_read_mark(sender: Sender, event: ReadMarkReceived) -> bool:
    """Moves our messages of the chat on to `read`, in the caller's transaction and in the system scope. False while the
    message that the mark names is not known. A mark that tells no moment is from when it was heard of."""
    places = message_changes.placed(sender, event.up_to)
    if not places:
        return False
    at = event.date or clock.now()
    mark = db.session.get_one(Message, places[0])
    moment = func.coalesce(Message.happened_at, Message.created_at)
    ids = list(
        db.session.scalars(
            select(Message.id)
            .where(Message.conversation_id == mark.conversation_id, Message.direction == "out")
            .where(tuple_(moment, Message.id) <= (mark.at, mark.id))
            .where(Message.state.in_(("accepted", "sent", "delivered")))
            .order_by(moment.desc(), Message.id.desc())
            .limit(_PAGE)
        )
    )
    # In order of id: everybody locks messages so.
    query = select(Message).where(Message.id.in_(ids)).order_by(Message.id).with_for_update()
    messages = list(db.session.scalars(query.execution_options(populate_existing=True)))
    db.session.execute(
        update(MessagePart)
        .where(MessagePart.message_id.in_(ids))
        .where(MessagePart.state.is_(None) | MessagePart.state.in_(("accepted", "sent", "delivered")))
        .values(state="read", state_at=at)
        .execution_options(synchronize_session=False)
    )
    for message in messages:
        advance_message(message, at)
    return True
