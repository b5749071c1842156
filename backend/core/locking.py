"""One process at a time, and a heartbeat that says when it was."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from zlib import crc32

from sqlalchemy import Connection, Engine, text


@contextmanager
def advisory_lock(engine: Engine, name: str) -> Iterator[Connection | None]:
    """A connection that holds the advisory lock `name`, or None while another process does. Released at the end.

    The lock is the transaction's, so a process that dies gives it back with its connection.
    """
    with engine.connect() as connection:
        acquired = connection.execute(
            text("SELECT pg_try_advisory_xact_lock(:space, :name)"),
            {"space": 0x5B0A, "name": crc32(name.encode()) >> 1},
        ).scalar()
        yield connection if acquired else None
        connection.rollback()


def record_heartbeat(engine: Engine, name: str) -> None:
    """Notes that the periodic part `name` completed now, on the database's clock."""
    with engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO heartbeats (name, at) VALUES (:name, clock_timestamp())"
                " ON CONFLICT (name) DO UPDATE SET at = excluded.at"
            ),
            {"name": name},
        )
