"""The tasks of an import: reading, checking, running and undoing it, each batch committed under the claim."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from backend.core import clock, failpoints
from backend.core.database import db
from backend.models import ContactImport
from backend.services import live
from backend.services.auth import audit
from backend.services.contacts import settings
from backend.services.contacts.imports import mapping, reading, undo
from backend.services.contacts.imports.bulk import Overtaken
from backend.services.contacts.imports.claims import UNDO_FOR, Canceled, Claim
from backend.services.contacts.imports.local_files import local_file
from backend.services.contacts.imports.person_rows import PersonRow
from backend.services.contacts.imports.planning import OF_CONTACTS, Options, Plan, Planner
from backend.services.contacts.imports.report import COUNTED, Report
from backend.services.contacts.imports.store import Batch, author_of

_TRIES: Final = 5
"""How often a batch is planned again because somebody else stored one of its points."""
_SUMMED: Final = ("suppressions", "consents")


def read(claim: Claim) -> None:
    """Finds out the columns, and goes on to the check where one of them identifies a person."""
    with local_file(claim) as stream:
        job = claim.load()
        reading.read_columns(job, stream)
    if not mapping.identifies(job.mapping):
        db.session.flush()
        claim.end("mapping")
        return
    claim.advance(task="check")
    check(Claim(claim.import_id, claim.workspace_id, claim.number, "check"))


def check(claim: Claim) -> None:
    """Plans the whole file and stores nothing but the report."""
    job = claim.load()
    report = Report()
    planner = Planner(_options(job))
    _warn_of_columns(job, report)
    with local_file(claim) as stream:
        people = reading.people_of(claim.load(), stream)
        db.session.rollback()
        for batch in people.batches():
            plan = planner.plan(batch)
            db.session.rollback()
            planner.accept(plan)
            report.merge(plan.report)
            claim.advance(rows_done=report.counts["rows"])
    report.ignored = people.ignored
    claim.end("checked", report=report.to_json(), rows_total=report.counts["rows"], rows_done=0)


def run(claim: Claim) -> None:
    """Carries the import out from the last batch that was committed; ends as done, or canceled."""
    job = claim.load()
    report = Report()
    planner = Planner(_options(job))
    stored = job.rows_done
    _warn_of_columns(job, report)
    state = "done"
    try:
        with local_file(claim) as stream:
            people = reading.people_of(claim.load(), stream)
            db.session.rollback()
            rows = 0
            for batch in people.batches():
                rows += len(batch)
                plan = _replan(claim, planner, batch) if rows <= stored else _store(claim, planner, batch, rows)
                planner.accept(plan)
                report.merge(plan.report, counts=False)
            report.ignored = people.ignored
    except Canceled:
        db.session.rollback()
        state = "canceled"
    _end_run(claim, state, report)


def undo_run(claim: Claim) -> None:
    """Undoes the import from its last batch to its first; ends as undone."""
    while True:
        job = claim.lock()
        undone, kept, oldest = undo.undo_batch(job)
        job = claim.load()
        counts = dict(job.counts)
        counts["kept"] = counts.get("kept", 0) + kept
        counts[undo.POSITION] = oldest
        if undone == 0:
            break
        failpoints.hit("contacts.batch_not_committed")
        live.note(claim.workspace_id, "contacts", import_id=claim.import_id)
        claim.advance(counts=counts, rows_done=job.rows_done + undone)
    while True:
        job = claim.lock()
        withdrawn = undo.withdraw_consents(job, clock.now())
        if withdrawn == 0:
            break
        counts = dict(job.counts)
        counts["consents_withdrawn"] = counts.get("consents_withdrawn", 0) + withdrawn
        claim.advance(counts=counts)
    undo.remove_unused_tags(job)
    counts = dict(job.counts)
    report = (job.report or {}) | {
        "kept": counts.get("kept", 0),
        "consents_withdrawn": counts.get("consents_withdrawn", 0),
        "suppressions_kept": counts.get("suppressions", 0),
    }
    audit.record(author_of(job), "contact_import.undo_finished", f"contact_import:{job.id}", kept=counts.get("kept", 0))
    claim.end("undone", report=report)


def _replan(claim: Claim, planner: Planner, batch: Sequence[PersonRow]) -> Plan:
    """Plans a batch that was stored by an earlier process, for whom it met and what was wrong."""
    plan = planner.plan(batch)
    db.session.rollback()
    claim.advance()
    return plan


def _store(claim: Claim, planner: Planner, batch: Sequence[PersonRow], rows: int) -> Plan:
    """Stores a batch, the last of `rows`, and commits. Raises Superseded, Canceled, Overtaken."""
    for attempt in range(_TRIES):
        for person in batch:
            # What an attempt before noted of other contacts may be different by now.
            person.issues[:] = [issue for issue in person.issues if issue.code not in OF_CONTACTS]
        job = claim.lock()
        plan = planner.plan(batch, lock=True)
        try:
            added = Batch(job, settings.get().rules, clock.now()).store(plan.targets, plan.loose)
            break
        except Overtaken:
            db.session.rollback()
            if attempt == _TRIES - 1:
                raise
    failpoints.hit("contacts.batch_not_committed")
    live.note(claim.workspace_id, "contacts", import_id=claim.import_id)
    claim.advance(counts=_sum(job.counts, plan.report, added), rows_done=rows)
    failpoints.hit("contacts.batch_committed")
    return plan


def _sum(counts: Mapping[str, Any], batch: Report, added: Mapping[str, Any]) -> dict[str, Any]:
    summed = dict(counts)
    for name in COUNTED:
        summed[name] = summed.get(name, 0) + batch.counts[name]
    for name in _SUMMED:
        summed[name] = summed.get(name, 0) + added[name]
    summed["new_tag_ids"] = [*summed.get("new_tag_ids", []), *added["new_tag_ids"]]
    return summed


def _end_run(claim: Claim, state: str, report: Report) -> None:
    job = claim.load_locked()
    counts = {name: job.counts.get(name, 0) for name in (*COUNTED, *_SUMMED)}
    audit.record(author_of(job), "contact_import.finished", f"contact_import:{job.id}", state=state, **counts)
    claim.end(
        state,
        report=report.to_json() | counts,
        rows_total=job.rows_done if state == "done" else job.rows_total,
        undo_until=clock.now() + UNDO_FOR,
    )


def _options(job: ContactImport) -> Options:
    return Options(job.mode, tuple(job.update_by), job.overwrite, tuple(job.tags))


def _warn_of_columns(job: ContactImport, report: Report) -> None:
    """Says so where nobody of the file can be found on Telegram."""
    if not {"phone", "telegram_username"} & set(job.mapping.values()):
        hint = "The file has neither phone numbers nor Telegram names: nobody in it can be found on Telegram."
        report.warn_of_file("nothing_for_telegram", hint)
