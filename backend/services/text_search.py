"""Searching texts for words as they are written: nothing in them is a pattern, and no search goes on for long."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import psycopg
from sqlalchemy import func, select
from sqlalchemy.exc import OperationalError

from backend.core.database import db
from backend.core.errors import Unavailable

MAX_LENGTH: Final = 200
"""Characters of what is searched for; more than anything has that is found by its name."""
MILLISECONDS: Final = 2_000
_SETTING: Final = "statement_timeout"


def holding(words: str) -> str:
    """The pattern of `LIKE` (escaped by a backslash) for what holds these words."""
    plain = words.replace("\0", "").replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{plain}%"


@contextmanager
def bounded() -> Iterator[None]:
    """Each statement within it has two seconds.

    Raises Unavailable (`search_too_slow`), after which the transaction is lost. It is for requests that only read.
    """
    known = select(func.current_setting(_SETTING), func.set_config(_SETTING, str(MILLISECONDS), True))
    before = db.session.execute(known).one()[0]
    try:
        yield
    except OperationalError as error:
        if isinstance(error.orig, psycopg.errors.QueryCanceled):
            db.session.rollback()
            message = "This search takes too long; narrow it by other filters."
            raise Unavailable("search_too_slow", message, retry_after=10) from None
        raise
    db.session.execute(select(func.set_config(_SETTING, before, True)))
