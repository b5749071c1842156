"""The example provider's webhook: `{"accounts": [{"account": id, "events": [event, …]}, …]}`."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from typing import Any

from backend.channels.inbound import (
    Chat,
    EchoReceived,
    Ignored,
    InboundEvent,
    MessageReceived,
    Parked,
    Person,
    ReceiptReceived,
    WatermarkReceived,
)
from backend.channels.richtext import storable
from backend.channels.spec import UNPARSABLE, Item

_STATES = ("accepted", "sent", "delivered", "read", "played", "failed")


def split(body: bytes) -> list[Item]:
    """One item for each event, in order; a body without any is one item."""
    try:
        value = json.loads(body)
        found = [(entry["account"], event) for entry in value["accounts"] for event in entry["events"]]
        items = [_item(account, event) for account, event in found]
    except (ValueError, TypeError, KeyError, RecursionError):
        return [_raw(body, UNPARSABLE)]
    return items or [_raw(body, "empty")]


def parse(piece: bytes) -> list[InboundEvent]:
    """What the event of a piece says."""
    try:
        event = json.loads(piece)["accounts"][0]["events"][0]
    except (ValueError, TypeError, KeyError, RecursionError):
        return [Parked("unparsable")]
    except IndexError:
        return [Ignored("empty")]
    try:
        return [_event(event)]
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, OSError):
        return [Parked("malformed")]


def _raw(body: bytes, kind: str) -> Item:
    key = f"raw:{hashlib.sha256(body).hexdigest()[:32]}"
    return Item(None, key, key, kind, body)


def _item(account: Any, event: Any) -> Item:
    piece = json.dumps({"accounts": [{"account": account, "events": [event]}]}, sort_keys=True).encode()
    if not _word(account) or not isinstance(event, dict):
        return _raw(piece, UNPARSABLE)
    account = _word(account)
    kind = _word(event.get("type")) or "none"
    digest = hashlib.sha256(piece).hexdigest()[:32]
    own = _word(event.get({"message": "id", "echo": "id", "status": "message"}.get(kind, "")))
    dedupe = f"{kind}:{own}:{_word(event.get('status'))}" if own else f"{kind}:{digest}"
    if kind == "status":
        # What becomes of a message is in order for the message and holds up nobody who writes.
        return Item(account, dedupe, f"status:{own or digest}", kind, piece)
    person = event.get("from") or event.get("to") or event.get("chat")
    chat = _word(person.get("id") if isinstance(person, dict) else person)
    return Item(account, dedupe, f"chat:{chat or digest}", kind, piece)


def _event(event: dict[str, Any]) -> InboundEvent:
    match event.get("type"):
        case "message":
            person = event["from"]
            chat = _chat(person["id"])
            return MessageReceived(
                chat=chat,
                sender=Person(chat.id, _text(person.get("name")) or chat.id),
                message_id=_text(event["id"]),
                text=_text(event.get("text")),
                date=_time(event.get("at")),
            )
        case "status" if event["status"] in _STATES:
            return ReceiptReceived(
                message_id=_text(event["message"]),
                state=event["status"],
                date=_time(event.get("at")),
                code=_text(event.get("code")) or None,
                client_ref=_text(event.get("ref")) or None,
            )
        case "echo":
            message = MessageReceived(
                chat=_chat(event["to"]),
                sender=None,
                message_id=_text(event["id"]),
                text=_text(event.get("text")),
                date=_time(event.get("at")),
            )
            return EchoReceived(message, client_ref=_text(event.get("ref")) or None)
        case "read":
            return WatermarkReceived(_chat(event["chat"]), "read", _time(event["until"]) or datetime.now(UTC))
    return Ignored(_word(event.get("type")) or "none")


def _chat(value: Any) -> Chat:
    if not isinstance(value, str) or not _text(value):
        raise ValueError("a chat without an id")
    return Chat(_text(value), "private")


def _word(value: Any) -> str:
    return storable(value)[:60] if isinstance(value, str) else ""


def _text(value: Any) -> str:
    return storable(value)[:1000] if isinstance(value, str) else ""


def _time(value: Any) -> datetime | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return datetime.fromtimestamp(value, UTC)
