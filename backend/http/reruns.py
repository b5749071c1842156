"""Running a view again whose transaction PostgreSQL ended for the sake of another one.

A deadlock is nobody's error and says nothing of the database's health: everything was rolled back, and the same request
a moment later goes through.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import Final, TypeVar

from flask import g, has_request_context, request
from psycopg.errors import DeadlockDetected, SerializationFailure
from sqlalchemy import event
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from backend.core.database import TenantSession
from backend.core.logging import get_logger

MAX_RERUNS: Final = 3
_PAUSE_SECONDS: Final = 0.05
Result = TypeVar("Result")
log = get_logger(__name__)


def run(attempt: Callable[[], Result]) -> Result:
    """Returns what `attempt` returns, running it again where its transaction lost to another one.

    `attempt` rolls back before it raises. It is not run again once it has committed something on the way.
    """
    g.reruns, g.may_rerun = 0, True
    while True:
        try:
            return attempt()
        except OperationalError as error:
            if not _lost(error) or not g.may_rerun or g.reruns >= MAX_RERUNS:
                raise
            g.reruns += 1
            log.info("request_run_again", kind=type(error.orig).__name__, path=request.path, time=g.reruns)
            _rewind_files()
            # Those who met once would meet again if all of them waited equally long.
            time.sleep(random.uniform(0, _PAUSE_SECONDS * g.reruns))  # noqa: S311 - no secret


def is_first() -> bool:
    """Whether the view runs for the first time."""
    return bool(g.get("reruns", 0) == 0)


@event.listens_for(TenantSession, "after_commit")
def _note_commit(session: Session) -> None:
    if has_request_context() and not session.in_nested_transaction():
        g.may_rerun = False


def _lost(error: OperationalError) -> bool:
    return isinstance(error.orig, DeadlockDetected | SerializationFailure)


def _rewind_files() -> None:
    """Has uploaded files read from their beginning again, where the request was read already."""
    for upload in request.__dict__.get("files", {}).values():
        upload.seek(0)
