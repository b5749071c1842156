"""Storing bodies as their items: one statement for as many as there are, a no-op for each that is known."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal, Protocol, TypeVar

from sqlalchemy import Connection

from backend.channels import registry
from backend.channels.spec import UNPARSABLE, Item
from backend.core import clock, failpoints, queue
from backend.core.crypto import digest
from backend.core.database import db, system_scope
from backend.core.encrypted_columns import keyring
from backend.services.senders.recipients import OWN, Recipients

MAX_ROWS: Final = 500
"""Rows of one statement."""
_MAX_RECIPIENT: Final = 200
Chunked = TypeVar("Chunked")

# Keys in their order, so that two processes that store the same bodies never wait for each other in a ring; events in
# the order they came, because their ids are the order of their conversation. In the driver's own words, for it is
# executed for every few requests; bodies go in binary.
_GIVEN = """
    WITH given AS (
        SELECT * FROM unnest(%(senders)s::bigint[], %(channels)s::text[], %(keys)b::bytea[],
                             %(conversations)s::bigint[], %(bodies)b::bytea[], %(states)s::text[],
                             %(recipients)s::text[])
          WITH ORDINALITY AS g(sender_id, channel, key, conversation_key, body, state, recipient_id, place)
    )
"""
_EVENTS = """
    INSERT INTO webhook_events (sender_id, channel, key, conversation_key, body_encrypted, state, attempts, error,
                                due_at, received_at, processed_at, recipient_id)
    SELECT g.sender_id, g.channel, g.key, g.conversation_key, g.body, g.state, 0,
           CASE WHEN g.state = 'parked' THEN 'unparsable' END, %(now)s, %(now)s,
           CASE WHEN g.state = 'parked' THEN %(now)s END, g.recipient_id
"""
_STORE = f"""{_GIVEN}, first AS (
        INSERT INTO webhook_event_keys (sender_id, key, seen_at)
        SELECT sender_id, key, %(now)s FROM given ORDER BY sender_id, key
        ON CONFLICT DO NOTHING RETURNING sender_id, key
    )
    {_EVENTS} FROM given g JOIN first f ON f.sender_id = g.sender_id AND f.key = g.key
     ORDER BY g.place
    RETURNING sender_id, key
"""  # noqa: S608 - built of the constants above
_STORE_KEYS = """
    INSERT INTO webhook_event_keys (sender_id, key, seen_at)
    SELECT sender_id, key, %(now)s FROM unnest(%(senders)s::bigint[], %(keys)b::bytea[]) AS g(sender_id, key)
     ORDER BY sender_id, key
    ON CONFLICT DO NOTHING RETURNING sender_id, key
"""
_STORE_EVENTS = f"{_GIVEN} {_EVENTS} FROM given g ORDER BY g.place"
_COUNT_UNKNOWN = """
    INSERT INTO unknown_recipients (sender_id, recipient_id, count, first_at, last_at)
    SELECT sender_id, recipient_id, n, %(now)s, %(now)s
      FROM unnest(%(senders)s::bigint[], %(recipients)s::text[], %(counts)s::bigint[]) AS g(sender_id, recipient_id, n)
     ORDER BY sender_id, recipient_id
    ON CONFLICT (sender_id, recipient_id)
    DO UPDATE SET count = unknown_recipients.count + excluded.count, last_at = excluded.last_at
"""


class Receiver(Protocol):
    """The sender whose address a body came to: its row, or a webhook target."""

    @property
    def id(self) -> int:
        """The sender's id."""
        ...

    @property
    def channel(self) -> str:
        """Its channel's name."""
        ...


@dataclass(frozen=True, slots=True)
class EventRow:
    """An item as it will be stored; one that cannot be read is parked, one whose owner is not known yet waits."""

    sender_id: int
    channel: str
    key: bytes
    conversation_key: int
    body: bytes
    state: Literal["new", "parked", "waiting"]
    recipient_id: str | None = None

    @property
    def name(self) -> tuple[int, bytes]:
        """What makes it unique."""
        return self.sender_id, self.key


@dataclass(frozen=True, slots=True)
class Arrived:
    """A body's items in its order, and how many it held for each recipient that nobody here owns."""

    rows: Sequence[EventRow]
    unknown: Counter[tuple[int, str]] = field(default_factory=Counter)


def arrived(receiver: Receiver, raw: bytes, recipients: Recipients = OWN) -> Arrived:
    """A genuine body's items, with their keys, encrypted. Reads and writes nothing.

    An item that names a recipient is its owner's among `recipients`; without any, all items are the receiver's.
    """
    webhook = registry.spec(receiver.channel).webhook
    if webhook is None:
        raise ValueError("a channel without a webhook receives nothing")
    rows: list[EventRow] = []
    unknown: Counter[tuple[int, str]] = Counter()
    for item in webhook.split(raw):
        owner: int | str = receiver.id
        if item.recipient_id is not None and recipients is not OWN:
            owner = recipients.owner_of(item.recipient_id)
        if isinstance(owner, int):
            rows.append(_row(owner, receiver.channel, item, "parked" if item.kind == UNPARSABLE else "new"))
        elif owner == "unknown":
            rows.append(_row(receiver.id, receiver.channel, item, "waiting", item.recipient_id))
        else:
            unknown[receiver.id, str(item.recipient_id)[:_MAX_RECIPIENT]] += 1
    return Arrived(rows, unknown)


def insert(connection: Connection, events: Sequence[EventRow]) -> set[tuple[int, bytes]]:
    """Stores items in the connection's transaction; returns the names of those that were new.

    More than `MAX_ROWS` take several statements, and then a transaction that the caller began. Raises what the database
    raises, and then nothing is stored.
    """
    distinct = {event.name: event for event in events}
    failpoints.hit("webhook.received_not_stored")
    now, rows = clock.now(), list(distinct.values())
    if len(rows) <= MAX_ROWS:
        return _names(connection.exec_driver_sql(_STORE, _values(rows, now)).all()) if rows else set()
    new: set[tuple[int, bytes]] = set()
    for names in _in_chunks(sorted(distinct)):
        keys = {"senders": [name[0] for name in names], "keys": [name[1] for name in names], "now": now}
        new |= _names(connection.exec_driver_sql(_STORE_KEYS, keys).all())
    for chunk in _in_chunks([row for row in rows if row.name in new]):
        connection.exec_driver_sql(_STORE_EVENTS, _values(chunk, now))
    return new


def count_unknown(connection: Connection, counts: Counter[tuple[int, str]]) -> None:
    """Counts dropped items by the sender whose address they came to and the recipient that they named."""
    if counts:
        values = {
            "senders": [sender_id for sender_id, _ in counts],
            "recipients": [recipient_id for _, recipient_id in counts],
            "counts": list(counts.values()),
            "now": clock.now(),
        }
        connection.exec_driver_sql(_COUNT_UNKNOWN, values)


def store(receiver: Receiver, raw: bytes, recipients: Recipients = OWN) -> bool:
    """Stores a genuine body in the session's transaction; False for one of which every item is known.

    The caller commits, and may acknowledge only then. Raises only what the database raises.
    """
    body = arrived(receiver, raw, recipients)
    with system_scope("an event's workspace is found out by processing it"):
        new = insert(db.session.connection(), body.rows)
        count_unknown(db.session.connection(), body.unknown)
    if any(row.state == "new" and row.name in new for row in body.rows):
        queue.wake("intake")
    return bool(new)


def conversation_key(sender_id: int, name: str) -> int:
    """The number under which events of one conversation are kept in order: a keyed hash, for it stems from an id."""
    return int.from_bytes(keyring().lookup("conversation-order", f"{sender_id}:{name}")[:8], "big", signed=True)


def row_name(sender_id: int, key: bytes) -> str:
    """What a body's ciphertext is bound to: unique like the row's id, and known before the insert."""
    return f"{sender_id}:{key.hex()}"


def _row(
    sender_id: int,
    channel: str,
    item: Item,
    state: Literal["new", "parked", "waiting"],
    recipient_id: str | None = None,
) -> EventRow:
    key = digest(item.dedupe_key)
    ciphertext = keyring().encrypt(
        item.piece, table="webhook_events", column="body_encrypted", row=row_name(sender_id, key)
    )
    ordered_by = conversation_key(sender_id, item.conversation_key)
    return EventRow(sender_id, channel, key, ordered_by, ciphertext, state, recipient_id)


def _names(rows: Sequence[Any]) -> set[tuple[int, bytes]]:
    return {(sender_id, bytes(key)) for sender_id, key in rows}


def _in_chunks(items: Sequence[Chunked]) -> Iterator[Sequence[Chunked]]:
    for start in range(0, len(items), MAX_ROWS):
        yield items[start : start + MAX_ROWS]


def _values(events: Sequence[EventRow], now: datetime) -> dict[str, Any]:
    return {
        "senders": [event.sender_id for event in events],
        "channels": [event.channel for event in events],
        "keys": [event.key for event in events],
        "conversations": [event.conversation_key for event in events],
        "bodies": [event.body for event in events],
        "states": [event.state for event in events],
        "recipients": [event.recipient_id for event in events],
        "now": now,
    }
