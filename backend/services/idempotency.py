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
from sqlalchemy import delete, select, text, update
from sqlalchemy.exc import OperationalError

from backend.core import clock
from backend.core.database import db, require_scope_of, system_scope
from backend.core.encrypted_columns import encrypt_json
from backend.core.errors import Conflict
from backend.models import IdempotencyKey

LIFE: Final = timedelta(hours=24)
_WAIT: Final = "5s"
_REDACTED: Final = None
_WAIT_NO_LONGER: Final = text("SELECT set_config('lock_timeout', '0', true)")
_TAKE: Final = text(
    """
    WITH patience AS MATERIALIZED (SELECT set_config('lock_timeout', :wait, true))
    INSERT INTO idempotency_keys AS k (workspace_id, actor, route, key, request_hash, created_at)
    SELECT :workspace_id, :actor, :route, :key, :request_hash, CAST(:now AS timestamptz) FROM patience
    ON CONFLICT (workspace_id, actor, route, key) DO UPDATE
       SET request_hash = excluded.request_hash, created_at = excluded.created_at, status = NULL, answer = NULL,
           answer_encrypted = NULL
     WHERE k.created_at <= CAST(:expired AS timestamptz)
    RETURNING id + 0 * length(set_config('lock_timeout', '0', true))
    """
)
"""Takes a key: the wait for another transaction that has it is bounded, and no other wait after it is."""


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
    require_scope_of(workspace_id)
    now = clock.now()
    values = {"workspace_id": workspace_id, "actor": actor, "route": route, "key": key, "request_hash": request_hash}
    db.session.flush()
    try:
        with system_scope("SQL as text names the workspace itself, which was compared with the scope"):
            row_id: int | None = db.session.execute(
                _TAKE, values | {"now": now, "expired": now - LIFE, "wait": _WAIT}
            ).scalar_one_or_none()
            if row_id is None:
                db.session.execute(_WAIT_NO_LONGER)
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
    body = {"body": _without(answer.body, frozenset(redact))}
    blob = encrypt_json(body, IdempotencyKey.__tablename__, "answer_encrypted", row_id)
    kept = db.session.execute(
        update(IdempotencyKey)
        .where(IdempotencyKey.id == row_id)
        .values(status=answer.status, answer_encrypted=blob)
        .returning(IdempotencyKey.id)
        .execution_options(synchronize_session=False)
    )
    if kept.scalar_one_or_none() is None:
        raise RuntimeError("the key's row has to exist until its transaction ends")


def give_back(row_id: int) -> None:
    """Frees the key: the request was refused and had no effect, so it may be sent again."""
    db.session.execute(delete(IdempotencyKey).where(IdempotencyKey.id == row_id))


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
