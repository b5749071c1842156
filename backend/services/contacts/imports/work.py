"""The work of imports: each is claimed, done batch by batch with a commit each, and goes on from the last one.

A batch's contacts, its place in the file and what undoing needs are one transaction: a process that dies leaves whole
batches. What it claimed is due again after a minute; one that was only slow finds its claim gone and stores nothing.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any, Final

from sqlalchemy import select

from backend.core import clock
from backend.core.database import db, workspace_scope
from backend.core.errors import Conflict, NotFound, Unavailable
from backend.core.logging import get_logger
from backend.core.thread_pools import BoundedPool
from backend.core.work import Turn, Waiting, Work, register
from backend.models import ContactImport
from backend.services import files, job_history
from backend.services.contacts.imports import claims, running
from backend.services.contacts.imports.administration import LANE, counts_of
from backend.services.contacts.imports.claims import UNDO_FOR, Claim, Superseded
from backend.services.contacts.imports.faults import Unreadable
from backend.services.contacts.imports.report import Report

log = get_logger(__name__)

PARALLEL: Final = 2
"""Imports that one process works on at a time."""
_TASKS: Final = {"read": running.read, "check": running.check, "run": running.run, "undo": running.undo_run}


def waiting() -> Waiting:
    """Imports that are due."""
    return (select(ContactImport.id).where(ContactImport.task.is_not(None), ContactImport.due_at <= clock.now()),)


def work_on(turn: Turn) -> int:
    """Works on the imports that are due, each as far as it goes, until the turn is over; returns how many."""
    count = 0
    while (claim := claims.take()) is not None:
        with workspace_scope(claim.workspace_id):
            _carry_out(claim)
        count += 1
        if turn.is_over():
            turn.go_on_later()
            break
    return count


def _carry_out(claim: Claim) -> None:
    try:
        if claim.task == "clean":
            _remove_file(claim)
        else:
            _TASKS[claim.task](claim)
    except Superseded:
        db.session.rollback()
    except Unreadable as refusal:
        db.session.rollback()
        report = Report()
        error = {"line": refusal.line, "column": None, "code": refusal.code, "value": "", "hint": refusal.hint}
        report.errors, report.errors_total = [error], 1
        _fail(claim, "import_unreadable", report.to_json())
    except Conflict as refusal:
        # The workspace has as many contacts or tags as it may have.
        db.session.rollback()
        _fail(claim, refusal.code, None)
    except NotFound:
        db.session.rollback()
        _fail(claim, "file_not_found", None)
    except (Unavailable, OSError) as error:
        db.session.rollback()
        log.warning("contact_import_waits", import_id=claim.import_id, error=type(error).__name__)
        with suppress(Superseded):
            claim.postpone()


def _fail(claim: Claim, code: str, report: dict[str, Any] | None) -> None:
    """Ends the import as failed; what it stored stays, and can be undone."""
    try:
        job = claim.load_locked()
        undo_until = clock.now() + UNDO_FOR if job.run_at is not None else None
        counts = counts_of(job)
        job_history.record_failure("contact_imports", code, f"contact_import:{job.id}", workspace_id=job.workspace_id)
        claim.end("failed", report=None if report is None else report | counts, error=code, undo_until=undo_until)
    except Superseded:
        db.session.rollback()
        return
    log.warning("contact_import_failed", import_id=claim.import_id, code=code)


def _remove_file(claim: Claim) -> None:
    """Removes the file of an import that has ended. Again is harmless."""
    job = claim.load()
    key = job.file_key
    db.session.rollback()
    if key is not None:
        files.storage_of_instance().delete(key)
    job = claim.load_locked()
    job.file_key, job.task, job.tries = None, None, 0
    db.session.commit()
    db.session.expunge_all()


WORK: Final = register(Work("contact_imports", LANE, waiting, work_on, pool=BoundedPool("contact-imports", PARALLEL)))
