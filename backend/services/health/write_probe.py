"""Whether the database takes writes: a full disk and a read-only database answer every question as ever."""

from __future__ import annotations

import threading
import time
from typing import Final

from psycopg.errors import LockNotAvailable
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from backend.core.database import db
from backend.core.logging import get_logger

log = get_logger(__name__)

KEPT_SECONDS: Final = 5.0
"""How long an answer is good: anybody may ask for readiness, and each try costs the database something."""

_FILL: Final = text(
    "INSERT INTO write_probes (filler) SELECT repeat(md5(random()::text), 59) FROM generate_series(1, :rows)"
)
_ROWS: Final = 32
"""Some 64 kB: more than the free room of a page or two."""

_lock = threading.Lock()
_kept: tuple[float, bool] | None = None


def takes_writes() -> bool:
    """Whether rows could be written within the last seconds; they are taken back. Raises nothing."""
    global _kept
    with _lock:
        if _kept is None or time.monotonic() - _kept[0] >= KEPT_SECONDS:
            _kept = (time.monotonic(), _try())
        return _kept[1]


def forget() -> None:
    """Has the next question tried again."""
    global _kept
    _kept = None


def _try() -> bool:
    try:
        with db.engine.connect() as connection:
            connection.execute(text("SET LOCAL statement_timeout = '3s'"))
            connection.execute(text("SET LOCAL lock_timeout = '200ms'"))
            _write(connection)
            connection.rollback()
    except (DBAPIError, PoolTimeout) as error:
        log.warning("database_takes_nothing", error=type(getattr(error, "orig", error)).__name__)
        return False
    return True


def _write(connection: Connection) -> None:
    # An emptied table is a new file until the rollback: its rows cannot go where others were deleted, so that a disk
    # without room is noticed although old pages have some.
    try:
        with connection.begin_nested():
            connection.execute(text("TRUNCATE write_probes"))
    except DBAPIError as error:
        if not isinstance(error.orig, LockNotAvailable):
            raise
        # Somebody reads the table, as a dump does for hours: then a row in the table as it is.
        connection.execute(_FILL, {"rows": 1})
        return
    connection.execute(_FILL, {"rows": _ROWS})
