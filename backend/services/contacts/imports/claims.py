"""Claims on imports: who works on one, until when, and how what was done is committed under the claim."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from sqlalchemy import select

from backend.core import clock
from backend.core.database import db, system_scope
from backend.models import ContactImport

UNDO_FOR: Final = timedelta(days=30)
HELD_FOR: Final = timedelta(seconds=60)
"""How long after its last commit somebody else may go on with an import."""
POSTPONED: Final = timedelta(seconds=30)
"""The pause while the storage is away."""
MAX_TRIES: Final = 5
"""Claims in a row that ended without a commit, after which an import fails."""
_WHY: Final = "one job works on the imports of all workspaces"


class Superseded(Exception):
    """The claim is gone: the import was changed, canceled, or given to another process."""


class Canceled(Exception):
    """Somebody asked to stop; what the present batch did is to be rolled back."""


@dataclass(frozen=True, slots=True)
class Claim:
    """Somebody's turn at an import."""

    import_id: int
    workspace_id: int
    number: int
    task: str

    def load(self) -> ContactImport:
        """The import. Raises Superseded."""
        job = db.session.get(ContactImport, self.import_id, populate_existing=True)
        if job is None or job.claim != self.number or job.task != self.task:
            raise Superseded
        return job

    def lock(self) -> ContactImport:
        """The import, locked until the commit: nobody else stores anything for it. Raises Superseded, Canceled."""
        job = db.session.get(ContactImport, self.import_id, with_for_update=True, populate_existing=True)
        if job is None or job.claim != self.number or job.task != self.task:
            raise Superseded
        if job.cancel_requested and self.task == "run":
            raise Canceled
        return job

    def advance(self, **values: Any) -> None:
        """Notes progress and moves the claim's end; commits with what the batch stored. Raises Superseded, Canceled."""
        now = clock.now()
        job = self.lock()
        for name, value in values.items():
            setattr(job, name, value)
        job.due_at, job.tries, job.updated_at = now + HELD_FOR, 0, now
        db.session.commit()
        db.session.expunge_all()

    def end(self, state: str, *, report: dict[str, Any] | None = None, **values: Any) -> None:
        """Ends the task in a state. Commits. Raises Superseded."""
        job = self.load_locked()
        now = clock.now()
        for name, value in values.items():
            setattr(job, name, value)
        if report is not None:
            job.report_json = json.dumps(report, ensure_ascii=False, separators=(",", ":"))
        job.state, job.updated_at, job.tries = state, now, 0
        job.task = "clean" if state in ("done", "failed", "canceled", "undone") else None
        job.due_at = now
        job.cancel_requested = False
        if job.task is not None:
            job.ended_at = now
        db.session.commit()
        db.session.expunge_all()

    def postpone(self) -> None:
        """Has the import tried again in a while; this try counts as none. Commits. Raises Superseded."""
        job = self.load_locked()
        job.due_at, job.tries = clock.now() + POSTPONED, max(0, job.tries - 1)
        db.session.commit()
        db.session.expunge_all()

    def load_locked(self) -> ContactImport:
        """The import, locked, whether or not somebody asked to stop. Raises Superseded."""
        job = db.session.get(ContactImport, self.import_id, with_for_update=True, populate_existing=True)
        if job is None or job.claim != self.number:
            raise Superseded
        return job


def take() -> Claim | None:
    """Claims the import that has been due longest, for a minute. Commits.

    One that was claimed too often without getting on is ended as failed, and the next is looked for.
    """
    while True:
        now = clock.now()
        with system_scope(_WHY):
            job = db.session.scalar(
                select(ContactImport)
                .where(ContactImport.task.is_not(None), ContactImport.due_at <= now)
                .order_by(ContactImport.due_at)
                .limit(1)
                .with_for_update(skip_locked=True)
            )
            if job is None or job.task is None:
                db.session.rollback()
                return None
            job.claim, job.tries, job.due_at = job.claim + 1, job.tries + 1, now + HELD_FOR
            if job.tries <= MAX_TRIES:
                claim = Claim(job.id, job.workspace_id, job.claim, job.task)
                db.session.commit()
                return claim
            job.state, job.error, job.tries = "failed", "import_interrupted", 0
            job.task, job.ended_at, job.due_at = "clean" if job.task != "clean" else None, now, now
            job.undo_until = now + UNDO_FOR if job.run_at is not None else None
            db.session.commit()
