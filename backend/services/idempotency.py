"""Doing something once however often it is asked for under the same `Idempotency-Key`.

A key's row is inserted before the work and filled with the answer after it, in the work's own transaction: both are
stored or neither. A second request with the key waits for the first one's transaction at the unique index. Keys count
for 24 hours, per workspace, actor and route.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from psycopg.errors import LockNotAvailable
from sqlalchemy import delete, func, null, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import OperationalError

from backend.core import clock
from backend.core.database import db
from backend.core.errors import Conflict
from backend.models import IdempotencyKey

LIFE: Final = timedelta(hours=24)
_WAIT: Final = "5s"
_REDACTED: Final = None
_EMPTY: Final = {"answer": null(), "answer_encrypted": None}


@dataclass(frozen=True, slots=True)
class Answer:
    """What was answered: the status and the JSON body, without the secrets it may have held."""

    status: int
    body: Any


def begin(workspace_id: int, actor: str, route: str, key: str, request_hash: bytes) -> int | Answer:
    """Takes the key for this request and returns its row's id, or the answer already given under it.

    Runs in the workspace's scope. Raises Conflict: `idempotency_mismatch` when the key came with another request,
    `idempotency_in_progress` when the first request is still running after five seconds.
    """
    now = clock.now()
    mine = (
        insert(IdempotencyKey)
        .values(
            workspace_id=workspace_id, actor=actor, route=route, key=key, request_hash=request_hash, created_at=now
        )
        .on_conflict_do_update(
            index_elements=["workspace_id", "actor", "route", "key"],
            set_={"request_hash": request_hash, "created_at": now, "status": None, **_EMPTY},
            where=IdempotencyKey.created_at <= now - LIFE,
        )
        .returning(IdempotencyKey.id)
    )  # fmt: skip
    try:
        _set_lock_timeout(_WAIT)
        row_id = db.session.execute(mine).scalar_one_or_none()
        _set_lock_timeout("0")
    except OperationalError as error:
        if isinstance(error.orig, LockNotAvailable):
            raise _in_progress() from None
        raise
    if row_id is not None:
        return row_id
    known = db.session.execute(
        select(IdempotencyKey).where(
            IdempotencyKey.actor == actor, IdempotencyKey.route == route, IdempotencyKey.key == key
        )
    ).scalar_one()
    if known.request_hash != request_hash:
        raise Conflict("idempotency_mismatch", "This Idempotency-Key was used for a different request.")
    if known.status is None:
        raise _in_progress()
    return Answer(known.status, known.answer.get("body"))


def finish(row_id: int, answer: Answer, redact: Iterable[str] = ()) -> None:
    """Keeps the answer, with the fields named in `redact` emptied wherever they stand."""
    row = db.session.get(IdempotencyKey, row_id)
    if row is None:
        raise RuntimeError("the key's row has to exist until its transaction ends")
    row.status = answer.status
    row.answer = {"body": _without(answer.body, frozenset(redact))}


def give_back(row_id: int) -> None:
    """Frees the key: the request was refused and had no effect, so it may be sent again."""
    db.session.execute(delete(IdempotencyKey).where(IdempotencyKey.id == row_id))


def _set_lock_timeout(value: str) -> None:
    db.session.execute(select(func.set_config("lock_timeout", value, True)))


def _in_progress() -> Conflict:
    return Conflict(
        "idempotency_in_progress", "The first request with this Idempotency-Key is still running.", retry_after=1
    )


def _without(value: Any, names: frozenset[str]) -> Any:
    if not names:
        return value
    if isinstance(value, dict):
        return {key: _REDACTED if key in names else _without(inner, names) for key, inner in value.items()}
    if isinstance(value, list):
        return [_without(inner, names) for inner in value]
    return value
