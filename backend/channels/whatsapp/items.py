"""A body's items: each message, state, echo and call by itself, whatever number it is for, and each other change."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from backend.channels.graph import reading
from backend.channels.graph.items import bounded, kind_word, part, raw_item, unwritable, write
from backend.channels.spec import UNPARSABLE, Item
from backend.channels.whatsapp import people

LISTS: Final = ("messages", "message_echoes", "statuses", "calls", "user_preferences", "errors")
"""The lists of a change whose entries are events of their own."""
_CARRIED: Final = ("messaging_product", "metadata")
_FROM: Final = ("from_user_id", "user_id", "from", "wa_id", "phone_number")
_TO: Final = ("to_user_id", "user_id", "to", "wa_id", "phone_number")
"""Where an event names its person: two places of a business-scoped id, and those of a number."""


def split(body: bytes) -> list[Item]:
    """The body's items in its order; a body without any is one item."""
    value = reading.document(body)
    if not isinstance(value, dict) or not isinstance(value.get("entry"), list):
        return [raw_item(body, UNPARSABLE if not isinstance(value, dict) else "empty")]
    items = [item for entry in value["entry"] for item in _of_entry(value.get("object"), entry)]
    return items or [raw_item(body, "empty")]


def _of_entry(kind: Any, entry: Any) -> Iterator[Item]:
    if not isinstance(entry, dict) or not isinstance(entry.get("changes"), list):
        yield _malformed({"object": kind, "entry": [entry]})
        return
    for change in entry["changes"]:
        yield from _of_change(kind, entry, change)


def _of_change(kind: Any, entry: Mapping[str, Any], change: Any) -> Iterator[Item]:
    outer = {name: entry[name] for name in ("id", "time") if name in entry}
    value = change.get("value") if isinstance(change, dict) else None
    if not isinstance(value, dict):
        yield _malformed({"object": kind, "entry": [outer | {"changes": [change]}]})
        return
    standby = value.get("standby")
    inner = standby if isinstance(standby, dict) else value
    lists = [name for name in LISTS if isinstance(inner.get(name), list) and inner[name]]
    carried = {name: value[name] for name in _CARRIED if name in value}
    if not lists:
        piece = write({"object": kind, "entry": [outer | {"changes": [change]}]})
        yield _of_whole(piece, entry, change, value) if piece is not None else unwritable(value)
        return
    recipient, contacts = number_of(value), people.Contacts(inner.get("contacts") or value.get("contacts"))
    for name in lists:
        events = inner[name]
        for place, event in enumerate(events):
            held: dict[str, Any] = dict(carried)
            contact = contacts.of(event, place, len(events)) if isinstance(event, dict) else {}
            if contact:
                held["contacts"] = [contact]
            held[name] = [event]
            alone = {"field": change.get("field"), "value": held}
            piece = write({"object": kind, "entry": [outer | {"changes": [alone]}]})
            yield unwritable(event) if piece is None else _of_event(piece, recipient, name, event, contact)


def _malformed(value: Any) -> Item:
    piece = write(value)
    return unwritable(value) if piece is None else raw_item(piece)


def number_of(value: Mapping[str, Any]) -> str | None:
    """The id of the number that a change is about; None where it names none."""
    named = reading.identifier(reading.mapping(value, "metadata").get("phone_number_id"))
    return named or reading.identifier(reading.mapping(value, "recipient").get("phone_number_id")) or None


def _of_whole(piece: bytes, entry: Mapping[str, Any], change: Mapping[str, Any], value: Mapping[str, Any]) -> Item:
    field = kind_word(change.get("field"), "none")
    digest = reading.fingerprint([entry.get("id"), entry.get("time"), change])
    person = _person_key(reading.mapping(value, "sender") or value, {}, _FROM)
    account = part(reading.identifier(entry.get("id")))
    return Item(
        number_of(value), bounded(f"{part(field)}:{digest}"), person or f"account:{account}:{part(field)}", field, piece
    )


def _of_event(piece: bytes, recipient: str | None, name: str, event: Any, contact: Mapping[str, Any]) -> Item:
    if not isinstance(event, dict):
        return raw_item(piece, recipient_id=recipient)
    own = part(reading.identifier(event.get("id")))
    digest = own or reading.fingerprint(event)
    if name == "statuses":
        state = part(kind_word(event.get("status"), "none"))
        # What becomes of a message is in order for the message and holds up nobody who writes.
        return Item(recipient, f"{digest}:{state}", f"status:{digest}", "status", piece)
    is_outgoing = name == "message_echoes" or event.get("direction") == "BUSINESS_INITIATED"
    person = _person_key(event, contact, _TO if is_outgoing else _FROM) or f"event:{digest}"
    if name == "calls":
        state = part(kind_word(event.get("event") or event.get("status"), "none"))
        return Item(recipient, f"{digest}:{state}", person, "call", piece)
    if name in ("user_preferences", "errors"):
        return Item(recipient, f"{name}:{reading.fingerprint(event)}", person, name, piece)
    kind = "echo" if name == "message_echoes" else kind_word(event.get("type"), "none")
    return Item(recipient, digest if own else f"message:{digest}", person, kind, piece)


def _person_key(event: Mapping[str, Any], contact: Mapping[str, Any], names: tuple[str, ...]) -> str:
    """What the events of one person have in common. A business-scoped id comes with all of them, a number does not."""
    scoped, other = names[:2], names[2:]
    for value in (*map(event.get, scoped), contact.get("user_id")):
        if value and (bsuid := reading.identifier(value)):
            return f"person:{part(bsuid)}"
    for value in (*map(event.get, other), contact.get("wa_id")):
        if value and (number := reading.identifier(value)):
            return f"person:{part(people.canonical(people.digits_of(number)) or number)}"
    return ""
