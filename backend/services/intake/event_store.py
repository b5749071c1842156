"""Storing bodies: one statement for as many as there are, a no-op for each that is known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from sqlalchemy import Connection

from backend.channels import registry
from backend.channels.spec import UNPARSABLE
from backend.core import clock, failpoints, queue
from backend.core.crypto import digest
from backend.core.database import db, system_scope
from backend.core.encrypted_columns import keyring

# Keys in their order, so that two processes that store the same bodies never wait for each other in a ring; events in
# the order they came, because their ids are the order of their conversation. In the driver's own words, for it is
# executed for every few requests; bodies go in binary.
_STORE = """
    WITH given AS (
        SELECT * FROM unnest(%(senders)s::bigint[], %(channels)s::text[], %(keys)b::bytea[],
                             %(conversations)s::bigint[], %(bodies)b::bytea[], %(parked)s::boolean[])
          WITH ORDINALITY AS g(sender_id, channel, key, conversation_key, body, parked, place)
    ), first AS (
        INSERT INTO webhook_event_keys (sender_id, key, seen_at)
        SELECT sender_id, key, %(now)s FROM given ORDER BY sender_id, key
        ON CONFLICT DO NOTHING RETURNING sender_id, key
    )
    INSERT INTO webhook_events (sender_id, channel, key, conversation_key, body_encrypted, state, attempts, error,
                                due_at, received_at, processed_at)
    SELECT g.sender_id, g.channel, g.key, g.conversation_key, g.body,
           CASE WHEN g.parked THEN 'parked' ELSE 'new' END, 0,
           CASE WHEN g.parked THEN 'unparsable' END, %(now)s, %(now)s, CASE WHEN g.parked THEN %(now)s END
      FROM given g JOIN first f ON f.sender_id = g.sender_id AND f.key = g.key
     ORDER BY g.place
    RETURNING sender_id, key
"""


class Receiver(Protocol):
    """The sender of an update: its row, or a webhook target."""

    @property
    def id(self) -> int:
        """The sender's id."""
        ...

    @property
    def channel(self) -> str:
        """Its channel's name."""
        ...


@dataclass(frozen=True, slots=True)
class UpdateRow:
    """A body as it will be stored; one that cannot be read is parked."""

    sender_id: int
    channel: str
    key: bytes
    conversation_key: int
    body: bytes
    parked: bool

    @property
    def name(self) -> tuple[int, bytes]:
        """What makes it unique."""
        return self.sender_id, self.key


def arrived(sender: Receiver, raw: bytes) -> UpdateRow:
    """A body, with its keys, encrypted. Reads and writes nothing."""
    webhook = registry.spec(sender.channel).webhook
    if webhook is None:
        raise ValueError("a channel without a webhook receives nothing")
    (item,) = webhook.split(raw)
    key = digest(item.dedupe_key)
    return UpdateRow(
        sender.id,
        sender.channel,
        key,
        conversation_key(sender.id, item.conversation_key),
        keyring().encrypt(raw, table="webhook_events", column="body_encrypted", row=row_name(sender.id, key)),
        item.kind == UNPARSABLE,
    )


def insert(connection: Connection, events: Sequence[UpdateRow]) -> set[tuple[int, bytes]]:
    """Stores bodies in the connection's transaction; returns the names of those that were new.

    Raises what the database raises, and then nothing is stored.
    """
    distinct = {event.name: event for event in events}
    failpoints.hit("webhook.received_not_stored")
    rows = connection.exec_driver_sql(_STORE, _values(list(distinct.values()), clock.now())).all()
    return {(sender_id, key) for sender_id, key in rows}


def store(sender: Receiver, raw: bytes) -> bool:
    """Stores a webhook body whose secret was verified in the session's transaction; False for one that is known.

    The caller commits, and may acknowledge only then. Raises only what the database raises.
    """
    event = arrived(sender, raw)
    with system_scope("an event's workspace is found out by processing it"):
        new = insert(db.session.connection(), [event])
    if new and not event.parked:
        queue.wake("intake")
    return bool(new)


def conversation_key(sender_id: int, name: str) -> int:
    """The number under which events of one conversation are kept in order: a keyed hash, for it stems from an id."""
    return int.from_bytes(keyring().lookup("conversation-order", f"{sender_id}:{name}")[:8], "big", signed=True)


def row_name(sender_id: int, key: bytes) -> str:
    """What a body's ciphertext is bound to: unique like the row's id, and known before the insert."""
    return f"{sender_id}:{key.hex()}"


def _values(events: Sequence[UpdateRow], now: datetime) -> dict[str, Any]:
    return {
        "senders": [event.sender_id for event in events],
        "channels": [event.channel for event in events],
        "keys": [event.key for event in events],
        "conversations": [event.conversation_key for event in events],
        "bodies": [event.body for event in events],
        "parked": [event.parked for event in events],
        "now": now,
    }
