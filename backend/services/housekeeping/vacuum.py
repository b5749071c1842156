"""Upkeep of the queue's table: after a great many messages it is made small again while next to nothing waits.

Autovacuum lets the space be used again and never gives an index's back. A table of thousands of pages that holds ten
rows makes every read of it dearer, so it is rewritten: milliseconds, under a lock that is not waited for.
"""

from __future__ import annotations

import time
from typing import Final

from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError

from backend.core.logging import get_logger

log = get_logger(__name__)

EVERY_SECONDS: Final = 30.0
LARGEST: Final = 4 * 1024 * 1024
"""Bytes of the table with its indexes: a thousand waiting rows take far less."""
MAX_ROWS: Final = 1000
_looked_at = float("-inf")

_BLOATED = text(
    "SELECT pg_total_relation_size('deliveries') > :largest"
    " AND (SELECT count(*) FROM (SELECT 1 FROM deliveries LIMIT :most) d) < :most"
)


def tidy_queue_sometimes(engine: Engine) -> bool:
    """`tidy_queue`, at most every 30 seconds in this process."""
    global _looked_at
    if time.monotonic() - _looked_at < EVERY_SECONDS:
        return False
    _looked_at = time.monotonic()
    return tidy_queue(engine)


def tidy_queue(engine: Engine, *, largest: int = LARGEST) -> bool:
    """Rewrites the table of deliveries if it is large and nearly empty; True if it did.

    It needs the table to itself for a moment. While somebody uses it for longer than that, it is left for another
    time; what others want of it meanwhile waits as long as the rewriting of a few rows takes.
    """
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        if not connection.execute(_BLOATED, {"largest": largest, "most": MAX_ROWS}).scalar():
            return False
        connection.execute(text("SET lock_timeout = '100ms'"))
        connection.execute(text("SET statement_timeout = '5s'"))
        try:
            connection.execute(text("VACUUM (FULL) deliveries"))
        except DBAPIError as error:
            log.info("queue_in_use", error=type(error.orig).__name__)
            return False
        finally:
            connection.execute(text("RESET lock_timeout"))
            connection.execute(text("RESET statement_timeout"))
    log.info("queue_tidied")
    return True
