"""What one event of a piece says: the way from a change's field to the plain events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from backend.channels.graph import reading
from backend.channels.graph.items import kind_word
from backend.channels.inbound import (
    AccountChanged,
    CallReceived,
    Ignored,
    InboundEvent,
    MessageDeleted,
    OptOutChanged,
    Parked,
    ReceiptReceived,
    ThreadControlChanged,
)
from backend.channels.whatsapp import errors, messages, people
from backend.channels.whatsapp.items import LISTS

_STATES: Final = ("sent", "delivered", "read", "played", "failed")
_ACCOUNT: Final = frozenset(
    {
        "account_alerts",
        "account_review_update",
        "account_update",
        "business_capability_update",
        "business_username_update",
        "message_template_components_update",
        "message_template_quality_update",
        "message_template_status_update",
        "phone_number_name_update",
        "phone_number_quality_update",
        "security",
        "template_category_update",
    }
)
_DEPTH: Final = 6
_ENTRIES: Final = 50


def parse(piece: bytes) -> list[InboundEvent]:
    """What the event of a piece says; never empty."""
    value = reading.document(piece)
    if not isinstance(value, dict):
        return [Parked("unparsable")]
    entry = reading.first(value.get("entry"))
    change = reading.first(entry.get("changes"))
    if not change:
        return [Ignored("empty")] if not value.get("entry") else [Parked("malformed")]
    content = change.get("value")
    if not isinstance(content, dict):
        return [Parked("malformed")]
    return _of_change(kind_word(change.get("field"), "none"), content, entry)


def _of_change(field: str, value: Mapping[str, Any], entry: Mapping[str, Any]) -> list[InboundEvent]:
    standby = value.get("standby")
    inner = standby if isinstance(standby, dict) else value
    for name in LISTS:
        events = inner.get(name)
        if isinstance(events, list) and events:
            if not isinstance(events[0], dict):
                return [Parked("malformed")]
            contact = reading.first(inner.get("contacts") or value.get("contacts"))
            return _of_event(name, events[0], contact, is_standby=field == "standby" or inner is standby)
    if field == "messaging_handovers":
        return [_handover(value)]
    if field in _ACCOUNT:
        named = {"business_account_id": reading.identifier(entry.get("id"))} | _plain(value)
        return [AccountChanged(field, named, reading.moment(entry.get("time")))]
    return [Ignored(field)]


def _of_event(
    name: str, event: Mapping[str, Any], contact: Mapping[str, Any], *, is_standby: bool
) -> list[InboundEvent]:
    match name:
        case "statuses":
            return [_status(event)]
        case "calls":
            return [_call(event, contact)]
        case "user_preferences":
            return [_preference(event, contact)]
        case "errors":
            return [AccountChanged("errors", _plain(event))]
        case "message_echoes":
            return [messages.echo_of(event, contact)]
    return [messages.event_of(event, contact, is_standby=is_standby)]


def _status(event: Mapping[str, Any]) -> InboundEvent:
    message_id, state = reading.identifier(event.get("id")), kind_word(event.get("status"), "none")
    if not message_id:
        return Parked("malformed")
    date = reading.moment(event.get("timestamp"))
    if event.get("type") == "call":
        return Ignored("call_status")
    if state == "deleted":
        return MessageDeleted((message_id,), date=date)
    if state not in _STATES:
        return Ignored(f"status.{state}"[:60])
    failure = reading.first(event.get("errors")) if state == "failed" else {}
    pricing = reading.mapping(event, "pricing")
    return ReceiptReceived(
        message_id=message_id,
        state=state,  # type: ignore[arg-type]  # one of _STATES
        date=date,
        code=errors.word_of(failure.get("code")) if state == "failed" else None,
        detail=errors.detail_of_failure(failure),
        client_ref=reading.text(event.get("biz_opaque_callback_data"), 512) or None,
        category=reading.text(pricing.get("category"), 60) or None,
        is_free=_is_free(pricing),
    )


def _is_free(pricing: Mapping[str, Any]) -> bool | None:
    kind = pricing.get("type")
    if isinstance(kind, str):
        return kind.startswith("free_")
    billable = pricing.get("billable")
    return not billable if isinstance(billable, bool) else None


def _call(event: Mapping[str, Any], contact: Mapping[str, Any]) -> InboundEvent:
    side = "to" if event.get("direction") == "BUSINESS_INITIATED" else "from"
    person, call_id = people.person_of(event, contact, side), reading.identifier(event.get("id"))
    if person is None or not call_id:
        return Parked("malformed")
    return CallReceived(
        chat=people.chat_with(person),
        person=person,
        call_id=call_id,
        state=kind_word(event.get("event") or event.get("status"), "none"),
        seconds=_seconds(event.get("duration")),
        date=reading.moment(event.get("timestamp")),
    )


def _seconds(value: Any) -> int | None:
    text = reading.identifier(value)
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 6 else None


def _preference(event: Mapping[str, Any], contact: Mapping[str, Any]) -> InboundEvent:
    person = people.person_of({"from": event.get("wa_id"), "from_user_id": event.get("user_id")}, contact)
    value = event.get("value")
    if person is None or value not in ("stop", "resume"):
        return Ignored("user_preferences") if person is not None else Parked("malformed")
    topic = "marketing" if event.get("category") == "marketing_messages" else kind_word(event.get("category"), "")
    date = reading.moment(event.get("timestamp"))
    return OptOutChanged(people.chat_with(person), person, value == "stop", topic, date)


def _handover(value: Mapping[str, Any]) -> InboundEvent:
    sender, kind = reading.mapping(value, "sender"), value.get("type")
    named = {"from": sender.get("phone_number") or sender.get("wa_id"), "from_user_id": sender.get("user_id")}
    person = people.person_of(named, reading.first(value.get("contacts")))
    # `control_passed` is told to the new owner, `control_taken` to the one who had it.
    if person is None or kind not in ("control_passed", "control_taken"):
        return Ignored("messaging_handovers")
    about = reading.mapping(value, str(kind))
    other = about.get("previous_owner_app_role") if kind == "control_passed" else about.get("new_owner_app_role")
    return ThreadControlChanged(
        people.chat_with(person),
        "us" if kind == "control_passed" else "other",
        reading.text(other, 60) or None,
        reading.moment(value.get("timestamp")),
    )


def _plain(value: Any, depth: int = 0) -> Any:
    """The value as plain JSON that can be stored: bounded in depth, length and number."""
    if isinstance(value, str):
        return reading.text(value, 1000)
    if isinstance(value, dict):
        kept = list(value.items())[:_ENTRIES] if depth < _DEPTH else []
        return {reading.text(name, 100): _plain(item, depth + 1) for name, item in kept}
    if isinstance(value, Sequence):
        return [_plain(item, depth + 1) for item in value[:_ENTRIES]] if depth < _DEPTH else []
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int):
        return value if abs(value) < 2**53 else str(value)[:40]
    return value if isinstance(value, float) and abs(value) < 1e300 else None
