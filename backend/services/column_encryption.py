"""Moving what an earlier release wrote in the clear into its encrypted columns, in batches, each committed.

Not in the migration: the processes of the release before still run beside it, and read the columns they know. The job's
first run only says that this release is there; from its next one on, an hour later, everything is moved.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from sqlalchemy import Column, Table, exists, func, null, select, update

from backend.core import clock
from backend.core.database import db, system_scope
from backend.core.encrypted_columns import encrypt_json
from backend.models import AutomationRule, IdempotencyKey, JobRun, Post
from backend.services.scheduling import JobTurn, SystemJob, Timing, register_system_job

NAME: Final = "encrypt_plain_columns"
BESIDE_THE_OLD: Final = timedelta(minutes=45)
"""For so long after this release began, processes of the one before it may still be running."""
_BATCH: Final = 200
_WHY: Final = "keys serve the whole instance"

_COLUMNS: Final[tuple[tuple[type[Any], str, str, Any], ...]] = (
    (Post, "target", "target_encrypted", {}),
    (AutomationRule, "targets", "targets_encrypted", {}),
    (IdempotencyKey, "answer", "answer_encrypted", null()),
)


def encrypt_plain(turn: JobTurn) -> int:
    """Works until the turn is over; returns how many values were moved. Commits after each batch."""
    if not _is_alone():
        return 0
    moved = 0
    for model, plain, encrypted, empty in _COLUMNS:
        table: Table = model.__table__
        while batch := _move(table, table.c[plain], encrypted, empty):
            moved += batch
            if turn.is_over():
                turn.at = f"{table.name}.{plain}"
                turn.go_on_later()
                return moved
    return moved


def _is_alone() -> bool:
    before = clock.now() - BESIDE_THE_OLD
    run = select(JobRun.id).where(JobRun.job == NAME, JobRun.state == "succeeded", JobRun.started_at < before)
    with system_scope(_WHY):
        is_running: bool = db.session.execute(select(exists(run))).scalar_one()
    return is_running


def _move(table: Table, plain: Column[Any], encrypted: str, empty: Any) -> int:
    with system_scope(_WHY):
        rows = db.session.execute(
            select(table.c.id, plain)
            .where(func.jsonb_typeof(plain) == "object", plain != {})
            .limit(_BATCH)
            .with_for_update(skip_locked=True)
        ).all()
        for row_id, value in rows:
            ciphertext = encrypt_json(value, table.name, encrypted, row_id)
            db.session.execute(
                update(table).where(table.c.id == row_id).values({plain.name: empty, encrypted: ciphertext})
            )
        db.session.commit()
    return len(rows)


JOB: Final = register_system_job(
    SystemJob(NAME, "background", Timing("interval", interval_seconds=3600), encrypt_plain)
)
