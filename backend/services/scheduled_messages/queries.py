"""The history of a scheduled message: each time it was due, its messages, and how far each got."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import select

from backend.core.database import db
from backend.models import Delivery, Message, ScheduleFire
from backend.services import paging, scheduling
from backend.services.scheduled_messages.messages import get


@dataclass(frozen=True, slots=True)
class SentMessage:
    """One message; `reason` is a code: why it is not sent yet, or never was."""

    id: int
    conversation_id: int
    state: str
    reason: str | None


@dataclass(frozen=True, slots=True)
class Occasion:
    """One time that it was due, with the messages that were made of it."""

    fire: ScheduleFire
    messages: list[SentMessage]
    alert_id: int | None = None
    decision: str | None = None
    """What became of the alert, where it was one: `sent`, `counted`, … as `POST /api/alerts` answers."""


def history(
    message_id: int, *, cursor: str | None = None, limit: int = paging.DEFAULT_LIMIT
) -> tuple[list[Occasion], str | None]:
    """Each time, the newest first. Raises NotFound."""
    fires, following = scheduling.history(get(message_id).schedule, cursor=cursor, limit=limit)
    return of(fires), following


def of(fires: Iterable[ScheduleFire]) -> list[Occasion]:
    """The fires with their messages, in two statements however many there are."""
    fires = list(fires)
    message_ids = {message_id for fire in fires for message_id in _ids(fire)}
    messages = {message_id.id: message_id for message_id in _sent_messages(message_ids)}
    return [
        Occasion(
            fire,
            [messages[message_id] for message_id in _ids(fire) if message_id in messages],
            (fire.result or {}).get("alert_id"),
            (fire.result or {}).get("decision"),
        )
        for fire in fires
    ]


def _ids(fire: ScheduleFire) -> list[int]:
    return [int(message_id) for message_id in (fire.result or {}).get("message_ids", ())]


def _sent_messages(ids: set[int]) -> list[SentMessage]:
    if not ids:
        return []
    messages = db.session.execute(select(Message).where(Message.id.in_(ids))).scalars().all()
    waiting = db.session.execute(
        select(Delivery.message_id, Delivery.reason)
        .where(Delivery.message_id.in_(ids), Delivery.operation == "send")
        .order_by(Delivery.part.desc())
    )
    reasons = {row.message_id: row.reason for row in waiting}
    return [
        SentMessage(message.id, message.conversation_id, message.state, reasons.get(message.id, message.error))
        for message in messages
    ]
