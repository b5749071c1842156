"""Imports as people start, change, run, cancel and undo them; the work itself is done by `work`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, BinaryIO, Final

from sqlalchemy import func, select

from backend.core import clock, queue
from backend.core.database import current_workspace_id, db
from backend.core.errors import Conflict, NotFound
from backend.models import ContactImport
from backend.services import caps, files, paging
from backend.services.auth import audit
from backend.services.auth.attribution import Attribution
from backend.services.contacts import custom_fields, records, settings, tags
from backend.services.contacts.faults import invalid
from backend.services.contacts.imports import encodings, formats, mapping
from backend.services.contacts.imports import undo as undo_steps
from backend.services.contacts.imports.faults import Unreadable

MAX_BYTES: Final = 100 * 1024 * 1024
UNDER_WAY: Final = ("reading", "mapping", "checked", "running")
"""The states of an import that is not over."""
LANE: Final = "background"
_REREAD: Final = frozenset({"encoding", "delimiter", "header_row"})
_HEAD: Final = 4096
_FOR_THE_NEXT_BATCH: Final = frozenset({"new_tag_ids", undo_steps.POSITION})


def create(
    by: Attribution,
    *,
    filename: str | None = None,
    stream: BinaryIO | None = None,
    file_id: int | None = None,
) -> ContactImport:
    """Begins an import of an uploaded file, or of one that is stored. Reading it is a job's.

    Raises Invalid (import_unreadable, file_empty), TooLarge over 100 MB, Conflict (too_many_imports), NotFound.
    """
    under_way = select(func.count()).select_from(ContactImport).where(ContactImport.state.in_(UNDER_WAY))
    caps.require_room("contact_imports", under_way)
    key: str | None = None
    if stream is not None:
        _check_head(stream)
        stored = files.put(stream, max_bytes=MAX_BYTES)
        key, size, name = stored.key, stored.size, files.safe_name(filename)
    else:
        file = files.get(file_id or 0)
        key, size, name = None, file.size, file.filename
    now = clock.now()
    job = ContactImport(
        workspace_id=current_workspace_id(),
        user_id=by.user_id,
        actor=by.label,
        state="reading",
        task="read",
        due_at=now,
        file_id=file_id if stream is None else None,
        file_key=key,
        filename=name,
        size=size,
        created_at=now,
        updated_at=now,
    )
    db.session.add(job)
    db.session.flush()
    audit.record(by, "contact_import.created", f"contact_import:{job.id}", size=size)
    queue.wake(LANE)
    return job


def get(import_id: int, *, lock: bool = False) -> ContactImport:
    """An import of the workspace in scope. Raises NotFound."""
    job = db.session.get(ContactImport, import_id, with_for_update=lock or None, populate_existing=lock)
    if job is None:
        raise NotFound("import_not_found", "There is no such import.")
    return job


def counts_of(job: ContactImport) -> dict[str, int]:
    """What a run or an undo has counted so far, without what only their next batch needs."""
    return {name: number for name, number in job.counts.items() if name not in _FOR_THE_NEXT_BATCH}


def listing(*, cursor: str | None = None, limit: int = paging.DEFAULT_LIMIT) -> tuple[list[ContactImport], str | None]:
    """The workspace's imports, newest first."""
    return paging.page(select(ContactImport), ContactImport.id, cursor=cursor, limit=limit)


def change(by: Attribution, import_id: int, changes: Mapping[str, Any]) -> ContactImport:
    """Changes how a file is read or meets the contacts, and has it checked again.

    Raises Conflict (import_state) once it runs, NotFound, and Invalid naming the field.
    """
    job = _in_state(import_id, "mapping", "checked", "reading")
    settings.check_region(changes.get("region"))
    if changes.get("encoding") not in (None, *encodings.NAMES):
        raise invalid("encoding", "encoding_unknown", f"One of: {', '.join(encodings.NAMES)}.")
    _forget_what_follows(job, changes)
    for name in ("region", "mode", "update_by", "overwrite", "encoding", "delimiter", "header_row"):
        if name in changes:
            setattr(job, name, changes[name])
    if "tags" in changes:
        job.tags = [name for name in map(tags.clean, changes["tags"]) if name]
    reread = bool(_REREAD & changes.keys()) or not job.columns
    if "mapping" in changes:
        if reread and job.columns:
            raise invalid(
                "mapping", "mapping_too_early", "Columns may change with this: map them when it was read again."
            )
        if not job.columns:
            raise invalid("mapping", "mapping_too_early", "The file was not read yet.")
        names = [column["name"] for column in job.columns]
        chosen = dict.fromkeys(names) | dict(job.mapping) | dict(changes["mapping"])
        mapping.check(chosen, names, custom_fields.by_key())
        job.mapping = chosen
    _restart(job, "read" if reread else "check")
    if job.task == "check" and not mapping.identifies(job.mapping):
        job.state, job.task = "mapping", None
    db.session.flush()
    audit.record(by, "contact_import.changed", f"contact_import:{job.id}", fields=sorted(changes))
    return job


def run(by: Attribution, import_id: int) -> ContactImport:
    """Has a checked import carried out; for one that runs already nothing happens.

    Raises Conflict (import_state, too_many_contacts) and NotFound.
    """
    job = get(import_id, lock=True)
    if job.state == "running" and job.task == "run":
        return job
    job = _in_state(import_id, "checked")
    if new := (job.report or {}).get("create", 0):
        records.require_room(new)
    now = clock.now()
    job.state, job.task, job.due_at, job.tries, job.updated_at = "running", "run", now, 0, now
    job.rows_done, job.counts, job.run_at = 0, {}, now
    db.session.flush()
    audit.record(by, "contact_import.run", f"contact_import:{job.id}")
    queue.wake(LANE)
    return job


def cancel(by: Attribution, import_id: int) -> ContactImport:
    """Stops an import. What a running one has stored stays, and can be undone. Raises Conflict, NotFound."""
    job = get(import_id, lock=True)
    if job.state == "running" and job.task == "run":
        # Its process stops after the batch in hand.
        job.cancel_requested, job.due_at = True, min(job.due_at, clock.now())
    else:
        job = _in_state(import_id, "reading", "mapping", "checked")
        job.state, job.task, job.due_at, job.ended_at = "canceled", "clean", clock.now(), clock.now()
        job.claim += 1
    job.updated_at = clock.now()
    db.session.flush()
    audit.record(by, "contact_import.canceled", f"contact_import:{job.id}")
    queue.wake(LANE)
    return job


def undo(by: Attribution, import_id: int) -> ContactImport:
    """Has an import undone, within 30 days; for one that is being undone nothing happens.

    Raises Conflict (import_state, undo_expired) and NotFound.
    """
    job = get(import_id, lock=True)
    if job.state == "running" and job.task == "undo":
        return job
    job = _in_state(import_id, "done", "canceled", "failed")
    now = clock.now()
    if job.run_at is None:
        raise Conflict("import_state", "This import has stored nothing.")
    if job.undo_until is None or now > job.undo_until:
        raise Conflict("undo_expired", "An import can be undone for 30 days.")
    job.state, job.task, job.due_at, job.tries, job.rows_done = "running", "undo", now, 0, 0
    job.updated_at = now
    db.session.flush()
    audit.record(by, "contact_import.undone", f"contact_import:{job.id}")
    queue.wake(LANE)
    return job


def _check_head(stream: BinaryIO) -> None:
    """Refuses at once what is certainly no file of contacts. An empty one is refused where it is stored."""
    head = stream.read(_HEAD)
    stream.seek(0)
    try:
        if head:
            formats.check_head(head)
    except Unreadable as refusal:
        raise invalid("file", refusal.code, refusal.hint) from None


def _in_state(import_id: int, *states: str) -> ContactImport:
    job = get(import_id, lock=True)
    if job.state not in states:
        raise Conflict(
            "import_state", f"This is not possible while an import is {job.state}.", detail={"state": job.state}
        )
    return job


def _forget_what_follows(job: ContactImport, changes: Mapping[str, Any]) -> None:
    """Under another encoding the delimiter is found out again, under another delimiter the header."""
    if "encoding" in changes:
        job.delimiter = None
    if {"encoding", "delimiter"} & changes.keys():
        job.header_row = None


def _restart(job: ContactImport, task: str) -> None:
    """Has a job read or check the file from its beginning; whoever is at it now is fenced off."""
    now = clock.now()
    job.state, job.task, job.due_at, job.tries, job.updated_at = "reading", task, now, 0, now
    job.claim += 1
    job.rows_done, job.error, job.report_json = 0, None, None
    queue.wake(LANE)
