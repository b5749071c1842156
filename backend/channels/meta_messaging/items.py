"""The items of a body of Messenger or Instagram: one for each event, with keys of its own.

A body holds several accounts, and of each what happened in its chats: events that are ours to answer (`messaging`),
those of chats that another application is in charge of (`standby`), and changes of other things (`changes`, in which
Instagram also sends messages).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

import orjson

from backend.channels.graph import reading
from backend.channels.spec import MAX_KEY, UNPARSABLE, Item

EDGES: Final = ("messaging", "standby", "changes")
_KINDS: Final = (
    "message",
    "message_edit",
    "reaction",
    "postback",
    "referral",
    "optin",
    "read",
    "delivery",
    "pass_thread_control",
    "take_thread_control",
    "request_thread_control",
    "app_roles",
    "messaging_feedback",
    "policy_enforcement",
)
_AROUND: Final = frozenset({"sender", "recipient", "timestamp", "hop_context", "prior_message", "messaging_type"})
_MAX_KIND: Final = 60


@dataclass(frozen=True, slots=True)
class Event:
    """One event of a body. `value` is its object, `account` the id of the page or the Instagram account, `person` whom
    it is about (empty where nobody is named), `kind` the provider's word for it; `standby` says that another
    application is in charge."""

    account: str
    person: str
    kind: str
    value: Mapping[str, Any]
    standby: bool

    @property
    def content(self) -> Mapping[str, Any]:
        """What stands under the event's own name."""
        return reading.mapping(self.value, self.kind)

    @property
    def is_from_account(self) -> bool:
        """Whether the account itself did it, and not the person."""
        sender = reading.identifier(reading.mapping(self.value, "sender").get("id"))
        return bool(sender) and sender != self.person

    @classmethod
    def of(cls, account: str, edge: str, value: Mapping[str, Any]) -> Event:
        """Reads an event, whatever it holds."""
        standby = edge == "standby"
        if edge == "changes":
            inner, field = reading.mapping(value, "value"), reading.text(value.get("field"), _MAX_KIND)
            if not (isinstance(inner.get("sender"), dict) or isinstance(inner.get("recipient"), dict)):
                return cls(account, "", f"change:{field or 'none'}", value, standby=False)
            value, standby = inner, field == "standby"
        return cls(account, _person(account, value), _kind(value), value, standby)


def split(body: bytes) -> list[Item]:
    """The items in the body's order; what cannot be read is one of kind `UNPARSABLE`, and the others stand."""
    document = reading.document(body)
    if not isinstance(document, dict):
        return [_raw(None, UNPARSABLE, body)]
    entries = document.get("entry")
    if not isinstance(entries, list) or not entries:
        return [_raw(None, "empty" if entries == [] else UNPARSABLE, body)]
    items = [item for entry in entries for item in _items(document, entry)]
    return [_raw(None, UNPARSABLE, body) if item is None else item for item in items]


def event_of(piece: bytes) -> Event | None:
    """The event of a piece; None where there is none that can be read."""
    document = reading.document(piece)
    entries = document.get("entry") if isinstance(document, dict) else None
    entry = reading.first(entries)
    for edge in EDGES:
        events = entry.get(edge)
        if isinstance(events, list) and events and isinstance(events[0], dict):
            return Event.of(reading.identifier(entry.get("id")), edge, events[0])
    return None


def _items(document: Mapping[str, Any], entry: Any) -> Iterator[Item | None]:
    """The items of one entry; None where a piece cannot be written again."""
    head = {"object": document["object"]} if "object" in document else {}
    edges = [edge for edge in EDGES if isinstance(entry, dict) and edge in entry]
    if not edges:
        # Neither an account's events nor anything else that is known.
        piece = written({**head, "entry": [entry]})
        yield None if piece is None else _raw(None, "empty" if isinstance(entry, dict) else UNPARSABLE, piece)
        return
    account = reading.identifier(entry.get("id"))
    frame = {"id": entry["id"]} if "id" in entry else {}
    for edge in edges:
        values = entry[edge]
        if not isinstance(values, list) or not values:
            piece = written({**head, "entry": [{**frame, edge: values}]})
            kind = "empty" if values == [] else UNPARSABLE
            yield None if piece is None else _raw(account, kind, piece)
            continue
        for value in values:
            piece = written({**head, "entry": [{**frame, edge: [value]}]})
            if piece is None or not isinstance(value, dict):
                yield None if piece is None else _raw(account, UNPARSABLE, piece)
                continue
            yield _item(Event.of(account, edge, value), piece)


def _item(event: Event, piece: bytes) -> Item:
    digest = sha256(piece).hexdigest()[:40]
    conversation = f"person:{event.person}" if event.person else f"item:{digest}"
    return Item(event.account or None, key(_identity(event) or digest), key(conversation), event.kind, piece)


def _identity(event: Event) -> str:
    """What the provider itself tells an event from others by; empty where it has nothing."""
    content = event.content
    mid = reading.identifier(content.get("mid"))
    moment = reading.identifier(event.value.get("timestamp"))
    match event.kind:
        case "message" if mid:
            return f"{mid}:deleted" if content.get("is_deleted") is True else mid
        case "message_edit" if mid and (number := reading.identifier(content.get("num_edit"))):
            return f"{mid}:edit:{number}"
        case "reaction" if mid and moment:
            action = reading.text(content.get("action"), 20)
            sender = reading.identifier(reading.mapping(event.value, "sender").get("id"))
            return f"{mid}:{sender}:{action}:{moment}"
        case "read" if event.person and (until := mid or reading.identifier(content.get("watermark"))):
            return f"read:{event.person}:{until}"
        case "postback" if mid:
            return f"postback:{mid}"
    return ""


def _person(account: str, value: Mapping[str, Any]) -> str:
    """Whom an event is about: of sender and recipient the one that is not the account."""
    sender = reading.identifier(reading.mapping(value, "sender").get("id"))
    recipient = reading.identifier(reading.mapping(value, "recipient").get("id"))
    is_echo = reading.mapping(value, "message").get("is_echo") is True
    first, second = (recipient, sender) if is_echo else (sender, recipient)
    if first and first != account:
        return first
    # An account that writes to itself is its own other side.
    return second or first if first else ""


def _kind(value: Mapping[str, Any]) -> str:
    known = next((name for name in _KINDS if name in value), None)
    if known is not None:
        return known
    # Whatever the order of the names: it is not kept.
    other = min((name for name in value if name not in _AROUND), default="")
    return reading.text(other, _MAX_KIND) or "none"


def _raw(recipient: str | None, kind: str, piece: bytes) -> Item:
    name = f"raw:{sha256(piece).hexdigest()[:40]}"
    return Item(recipient or None, name, name, kind, piece)


def key(value: str) -> str:
    """A key that a row can hold: a longer one is its digest."""
    return value if len(value) <= MAX_KEY else f"sha256:{sha256(value.encode('utf-8', 'replace')).hexdigest()}"


def written(value: Any) -> bytes | None:
    """The bytes of a JSON value, the same for equal values, and such that reading and writing them again changes
    nothing; None for what is nested too deeply to be written."""
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except orjson.JSONEncodeError:
        pass
    try:
        piece = json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
        again = reading.document(piece)
        try:
            return orjson.dumps(again, option=orjson.OPT_SORT_KEYS)
        except orjson.JSONEncodeError:
            return piece
    except (ValueError, RecursionError):
        return None
