"""Taking back what has not started: a message, a conversation's, a sender's, or that of a chat nobody may write to."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import delete, select, update

from backend.core import clock
from backend.core.database import db, system_scope
from backend.models import Conversation, Delivery, Message
from backend.services.delivery.events import message_ended


def cancel_pending(conversation: Conversation, code: str) -> int:
    """Cancels everything not yet started in a conversation; the messages say `code`. Returns how many messages."""
    return _cancel(Delivery.conversation_id == conversation.id, code)


def cancel(message: Message, code: str) -> bool:
    """Cancels one message that has not started; False when it is too late for that."""
    return _cancel(Delivery.message_id == message.id, code) > 0


def cancel_of_sender(sender_id: int, code: str) -> int:
    """Cancels everything that a sender has not started, in every workspace. Returns how many messages."""
    return _cancel(Delivery.sender_id == sender_id, code)


def cancel_deliveries(delivery_ids: Collection[int], code: str) -> int:
    """Cancels the messages of these deliveries that have not started. Returns how many."""
    return _cancel(Delivery.id.in_(delivery_ids), code)


def block(sender_id: int, chat_hash: bytes, code: str) -> None:
    """Blocks a chat in every workspace's conversation and cancels what waits for it with `code`."""
    with system_scope("a chat is blocked for every workspace that has it"):
        chats = db.session.execute(
            select(Conversation).where(Conversation.sender_id == sender_id, Conversation.chat_hash == chat_hash)
        ).scalars()
        for conversation in chats:
            conversation.blocked_code, conversation.blocked_at = code, clock.now()
            db.session.flush()
            cancel_pending(conversation, code)


def mark_unreachable(sender_id: int, chat_hash: bytes, code: str | None) -> None:
    """Notes why the last message did not get to this chat, without closing it; None once one did."""
    with system_scope("a chat is marked for every workspace that has it"):
        db.session.execute(
            update(Conversation)
            .where(Conversation.sender_id == sender_id, Conversation.chat_hash == chat_hash)
            .values(unreachable_code=code, unreachable_at=clock.now() if code else None)
        )


def unblock(sender_id: int, chat_hash: bytes) -> None:
    """Unblocks a chat: it can be written to again."""
    with system_scope("a chat is unblocked for every workspace that has it"):
        db.session.execute(
            update(Conversation)
            .where(Conversation.sender_id == sender_id, Conversation.chat_hash == chat_hash)
            .values(blocked_code=None, blocked_at=None, unreachable_code=None, unreachable_at=None)
        )


def _cancel(which: Any, code: str) -> int:
    with system_scope("cancels by an object that its caller was allowed to load"):
        waiting = select(Delivery.message_id).where(which, Delivery.state == "due", Delivery.operation == "send")
        # Messages before deliveries, in order of id: as everybody locks them.
        messages = (
            db.session.execute(select(Message).where(Message.id.in_(waiting)).order_by(Message.id).with_for_update())
            .scalars()
            .all()
        )
        deleted = set(
            db.session.execute(
                delete(Delivery)
                .where(which, Delivery.state == "due", Delivery.operation == "send")
                .returning(Delivery.message_id)
                .execution_options(synchronize_session=False)
            ).scalars()
        )
        db.session.execute(
            delete(Delivery).where(which, Delivery.state == "due").execution_options(synchronize_session=False)
        )
        canceled = [message for message in messages if message.id in deleted and message.state == "queued"]
        for message in canceled:
            message.state, message.error = "canceled", code
        db.session.flush()
        for message in canceled:
            message_ended(message.id, "canceled", code)
        return len(canceled)
