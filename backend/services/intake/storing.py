"""Storing a body: one statement, a no-op for a duplicate."""

from __future__ import annotations

from typing import Protocol

from sqlalchemy import bindparam, text
from sqlalchemy.types import LargeBinary

from backend.channels import registry
from backend.core import clock, failpoints, queue
from backend.core.crypto import digest
from backend.core.database import UtcDateTime, db, system_scope
from backend.core.sealed import keyring

_STORE = text(
    """
    WITH first AS (
        INSERT INTO webhook_event_keys (sender_id, key, seen_at) VALUES (:sender_id, :key, :now)
        ON CONFLICT DO NOTHING RETURNING key
    )
    INSERT INTO webhook_events (sender_id, channel, key, conversation_key, body_encrypted, state, attempts, error,
                                due_at, received_at, processed_at)
    SELECT :sender_id, :channel, key, :conversation_key, :body, :state, 0, :error, :now, :now, :processed_at FROM first
    RETURNING id
    """
).bindparams(
    bindparam("key", type_=LargeBinary),
    bindparam("body", type_=LargeBinary),
    bindparam("now", type_=UtcDateTime),
    bindparam("processed_at", type_=UtcDateTime),
)


def conversation_key(sender_id: int, name: str) -> int:
    """The number under which events of one conversation are kept in order: a keyed hash, for it stems from an id."""
    return int.from_bytes(keyring().lookup("conversation-order", f"{sender_id}:{name}")[:8], "big", signed=True)


class Receiver(Protocol):
    """Whose update it is: a sender, or what a webhook remembers of one."""

    @property
    def id(self) -> int:
        """The sender's id."""
        ...

    @property
    def channel(self) -> str:
        """Its channel's name."""
        ...


def store(sender: Receiver, raw: bytes) -> bool:
    """Stores a webhook body whose secret was verified; False for one that is known already.

    The caller commits, and may acknowledge only then. A body that cannot be read is stored as parked. Raises only what
    the database raises.
    """
    envelope = registry.get(sender.channel).envelope(raw)
    key = digest(envelope.dedupe_key)
    now = clock.now()
    parked = envelope.kind == "unparsable"
    body = keyring().encrypt(raw, table="webhook_events", column="body_encrypted", row=row_name(sender.id, key))
    with system_scope("an event's workspace is found out by processing it"):
        stored = db.session.execute(
            _STORE,
            {
                "sender_id": sender.id,
                "key": key,
                "channel": sender.channel,
                "conversation_key": conversation_key(sender.id, envelope.conversation_key),
                "body": body,
                "state": "parked" if parked else "new",
                "error": "unparsable" if parked else None,
                "now": now,
                "processed_at": now if parked else None,
            },
        ).first()
    failpoints.hit("webhook.stored_not_committed")
    if stored is None:
        return False
    if not parked:
        queue.wake("intake")
    return True


def row_name(sender_id: int, key: bytes) -> str:
    """What a body's ciphertext is bound to: unique like the row's id, and known before the insert."""
    return f"{sender_id}:{key.hex()}"
