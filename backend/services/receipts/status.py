"""Applying a receipt to the part and the message that it is about."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from sqlalchemy import select

from backend.channels.inbound import ReceiptReceived
from backend.core import clock
from backend.core.database import db
from backend.models import Message, MessagePart, Sender
from backend.services.delivery.events import message_ended
from backend.services.receipts import matching
from backend.services.receipts.progress import RANKS, is_ahead, message_state

_MAX_DETAIL: Final = 500


def apply_receipt(sender: Sender, event: ReceiptReceived) -> bool:
    """Moves the part and its message on, in the caller's transaction and in the system scope; True also where the
    receipt says nothing new. False for a message that is not known, or whose send was not recorded yet."""
    place = matching.find_part(sender, event.message_id, event.client_ref)
    if place is None:
        return False
    message = matching.lock_message(place.message_id)
    if message is None:
        return False
    if not place.is_recorded and not matching.settle_unknown(message, place.part, event.message_id):
        return False
    part = db.session.get(MessagePart, (place.message_id, place.part), populate_existing=True)
    if part is None:
        return False
    facts = _facts(event)
    if facts and facts != part.facts:
        part.facts = (part.facts or {}) | facts
    if event.category is not None or event.is_free is not None:
        named = {"category": event.category, "is_free": event.is_free}
        price = (message.price or {}) | {name: value for name, value in named.items() if value is not None}
        if price != message.price:
            message.price = price
    if is_ahead(event.state, part.state) or message.state in ("unknown", "accepted"):
        part.state, part.state_at = event.state, event.date or clock.now()
        db.session.flush()
        advance_message(message, event.date or clock.now(), event.code, event.detail)
    db.session.flush()
    return True


def advance_message(message: Message, at: datetime, code: str | None = None, detail: str = "") -> None:
    """Moves a locked message on to what its parts have reached; a later state fills in the times of the earlier."""
    states = list(db.session.execute(select(MessagePart.state).where(MessagePart.message_id == message.id)).scalars())
    complete = len(states) >= len(message.body.get("parts", ()))
    reached = message_state(message.state, states, complete=complete)
    if reached is None:
        return
    message.state = reached
    if reached == "failed":
        message.error, message.error_detail = code or "refused", detail[:_MAX_DETAIL] or None
        db.session.flush()
        message_ended(message.id, "failed", message.error)
        return
    message.error = message.error_detail = None
    if message.sent_at is None:
        message.sent_at = at
    if RANKS[reached] >= RANKS["delivered"] and message.delivered_at is None:
        message.delivered_at = at
    if RANKS[reached] >= RANKS["read"] and message.read_at is None:
        message.read_at = at
    if reached == "played" and message.played_at is None:
        message.played_at = at
    db.session.flush()


def _facts(event: ReceiptReceived) -> dict[str, Any]:
    named = {
        "code": event.code,
        "detail": event.detail[:_MAX_DETAIL] or None,
        "category": event.category,
        "is_free": event.is_free,
    }
    return {name: value for name, value in named.items() if value is not None}
