"""Finding the part of one of our messages that a provider speaks of: by its id alone, or by our id of the operation."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from backend.core import clock
from backend.core.database import db
from backend.models import Conversation, Delivery, Message, MessagePart, Sender
from backend.services.conversations.boxes import box_of, take_id

_CLIENT_REF: Final = re.compile(r"([1-9][0-9]{0,17}):([0-9]{1,4})")


@dataclass(frozen=True, slots=True)
class Place:
    """A part of a message. `is_recorded` is False while its send has an unknown end or none yet."""

    message_id: int
    part: int
    is_recorded: bool = True


def find_part(sender: Sender, external_id: str, client_ref: str | None = None) -> Place | None:
    """The part of an outbound message of this sender that the provider knows by this id, or that we sent under this
    `client_ref`; None where there is none (yet)."""
    row = db.session.execute(
        select(MessagePart.message_id, MessagePart.part)
        .join(Message, (Message.id == MessagePart.message_id) & (Message.direction == "out"))
        .where(MessagePart.sender_id == sender.id, MessagePart.box == "", MessagePart.external_id == external_id)
        .order_by(MessagePart.message_id.desc())
        .limit(1)
    ).first()
    if row is not None:
        return Place(row.message_id, row.part)
    match = _CLIENT_REF.fullmatch(client_ref or "")
    return None if match is None else _by_ref(sender, int(match[1]), int(match[2]))


def lock_message(message_id: int) -> Message | None:
    """The message, locked and read again: whoever changes its parts locks it first."""
    return db.session.execute(
        select(Message).where(Message.id == message_id).with_for_update().execution_options(populate_existing=True)
    ).scalar_one_or_none()


def settle_unknown(message: Message, part: int, external_id: str) -> bool:
    """Records a part whose send had an unknown end, now that the provider speaks of it under our own id of the
    operation; the repetition that was due is not needed any more. False where the send has still to be recorded."""
    if message.state != "unknown" and not _take_repetition(message, part):
        return False
    conversation = db.session.get_one(Conversation, message.conversation_id)
    row = {
        "workspace_id": message.workspace_id,
        "message_id": message.id,
        "part": part,
        "sender_id": message.sender_id,
        "chat_key": conversation.chat_key,
        "box": box_of(conversation.kind, conversation.chat_key, external_id),
        "external_id": external_id,
        "sent_version": message.version,
        "sent_at": clock.now(),
        "state": "accepted",
    }
    take_id(row)
    db.session.execute(insert(MessagePart).values(row).on_conflict_do_nothing(index_elements=["message_id", "part"]))
    if part == 0 and message.external_id is None:
        message.external_id = external_id
    db.session.flush()
    return True


def _take_repetition(message: Message, part: int) -> bool:
    """Removes the send of a part that is to be tried again; False where there is none, or it is being sent."""
    repeated = db.session.execute(
        select(Delivery)
        .where(Delivery.message_id == message.id, Delivery.part == part, Delivery.operation == "send")
        .where(Delivery.state == "due", Delivery.attempts > 0)
        .with_for_update(skip_locked=True)
        .execution_options(populate_existing=True)
    ).scalar_one_or_none()
    if repeated is None:
        return False
    db.session.delete(repeated)
    db.session.flush()
    return True


def is_in_flight(conversation_ids: list[int]) -> bool:
    """Whether a send to one of the conversations is under way, or had an unknown end and will be tried again."""
    waiting = (
        select(Delivery.id)
        .where(Delivery.conversation_id.in_(conversation_ids), Delivery.operation == "send")
        .where((Delivery.state == "sending") | (Delivery.reason == "outcome_unknown"))
    )
    return db.session.execute(waiting.limit(1)).first() is not None


def is_text_under_way(conversation_ids: list[int], text: str) -> bool:
    """Whether a numbered send of this very text to one of the conversations has begun and is not recorded: after a
    crash it is settled only once another process has taken the sender over."""
    begun = (
        select(Message.body, Delivery.part)
        .join(Delivery, Delivery.message_id == Message.id)
        .where(Delivery.conversation_id.in_(conversation_ids), Delivery.operation == "send")
        .where(Delivery.client_ref.is_not(None))
    )
    return any(
        str(part.get("text", "")).strip() == text.strip()
        for body, number in db.session.execute(begun)
        for part in body["parts"][number : number + 1]
    )


def _by_ref(sender: Sender, message_id: int, part: int) -> Place | None:
    row = db.session.execute(
        select(Message.body, MessagePart.part)
        .outerjoin(MessagePart, (MessagePart.message_id == Message.id) & (MessagePart.part == part))
        .where(Message.id == message_id, Message.sender_id == sender.id, Message.direction == "out")
    ).first()
    if row is None or part >= len(row.body.get("parts", ())):
        return None
    return Place(message_id, part, is_recorded=row.part is not None)
