"""Whether a pooled connection still has its server, checked when it is taken from the pool.

A server that has ended leaves something to read on the connection's socket: its last words or the end of the stream. So
one that is silent and was used lately needs no question, which would cost each request a round trip of its own; any
other is asked. A server that has vanished without a word is noticed by the first statement as by a question.
"""

from __future__ import annotations

import select
import time
from typing import Any, Final

import psycopg
from sqlalchemy import Engine, event
from sqlalchemy.exc import DisconnectionError

_TRUSTED_SECONDS: Final = 30.0
_IDLE_SINCE: Final = "idle_since"


def install(engine: Engine) -> None:
    """Has the engine's pool check each connection before it is used."""
    event.listen(engine, "checkin", _note_idle)
    event.listen(engine, "checkout", check)


def _note_idle(_connection: Any, record: Any) -> None:
    record.info[_IDLE_SINCE] = time.monotonic()


def check(connection: psycopg.Connection[Any] | None, record: Any, _proxy: Any) -> None:
    """Raises DisconnectionError for a connection whose server is gone: the pool opens another one."""
    if connection is None or connection.closed:
        raise DisconnectionError("the connection is closed")
    idle_since = record.info.get(_IDLE_SINCE)
    if idle_since is None or (time.monotonic() - idle_since < _TRUSTED_SECONDS and not _has_something(connection)):
        return
    try:
        connection.autocommit = True
        connection.execute("SELECT 1")
        connection.autocommit = False
    except psycopg.Error as error:
        raise DisconnectionError("the server is gone") from error


def _has_something(connection: psycopg.Connection[Any]) -> bool:
    """Whether there is anything to read, the end of the stream included."""
    waiting = select.poll()
    waiting.register(connection.fileno(), select.POLLIN | select.POLLERR | select.POLLHUP)
    return bool(waiting.poll(0))
