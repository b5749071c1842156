"""One process at a time, and a heartbeat that says when it was."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from zlib import crc32

from sqlalchemy import Connection, Engine, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.types import BigInteger, Text

_SPACE = 0x5B0A

_TRY = text(
    """
    SELECT w.name FROM unnest(:names, :keys) AS w(name, key)
     WHERE pg_try_advisory_xact_lock(CAST(:space AS int), CAST(w.key AS int))
    """
).bindparams(bindparam("names", type_=ARRAY(Text)), bindparam("keys", type_=ARRAY(BigInteger)))

_BEAT = text(
    """
    INSERT INTO heartbeats (name, at) SELECT name, clock_timestamp() FROM unnest(:names) AS w(name) ORDER BY name
    ON CONFLICT (name) DO UPDATE SET at = excluded.at
    """
).bindparams(bindparam("names", type_=ARRAY(Text)))

_FRESH = text(
    "SELECT name FROM heartbeats WHERE name = ANY(:names) AND at > clock_timestamp() - make_interval(secs => :seconds)"
).bindparams(bindparam("names", type_=ARRAY(Text)))


@contextmanager
def advisory_lock(engine: Engine, name: str) -> Iterator[Connection | None]:
    """A connection that holds the advisory lock `name`, or None while another process does. Released at the end.

    The lock is the transaction's, so a process that dies gives it back with its connection.
    """
    with engine.connect() as connection:
        acquired = try_locks(connection, [name])
        yield connection if acquired else None
        connection.rollback()


def try_locks(connection: Connection, names: Collection[str]) -> set[str]:
    """Takes those of these advisory locks that are free, for the connection's transaction; returns which."""
    values = {"names": list(names), "keys": [crc32(name.encode()) >> 1 for name in names], "space": _SPACE}
    return set(connection.execute(_TRY, values).scalars())


def record_heartbeat(engine: Engine, *names: str) -> None:
    """Notes that these periodic parts completed now, on the database's clock."""
    with engine.begin() as connection:
        beat(connection, names)


def beat(connection: Connection, names: Collection[str]) -> None:
    """Notes in the connection's transaction that these periodic parts completed now, on the database's clock."""
    if names:
        connection.execute(_BEAT, {"names": list(names)})


def fresh_heartbeats(connection: Connection, names: Collection[str], seconds: float) -> set[str]:
    """Those of these periodic parts that completed less than so many seconds ago."""
    return set(connection.execute(_FRESH, {"names": list(names), "seconds": seconds}).scalars())
