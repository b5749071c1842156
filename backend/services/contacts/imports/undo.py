"""Undoing an import: each contact gets back what the import changed and nobody else has changed since."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import delete, select

from backend.core.database import db
from backend.core.orm import among_ids
from backend.models import Consent, Contact, ContactImport, ContactImportChange, ContactPoint, ContactTag, Tag

BATCH: Final = 1_000
POSITION: Final = "undone_from"
"""Among the import's counts, the oldest change that was undone. The next batch begins below it and is not searched for
among the rows that are gone."""


def undo_batch(job: ContactImport) -> tuple[int, int, int | None]:
    """Undoes the newest changes of an import in the caller's transaction.

    Returns how many changes were undone, how many contacts that it had made stay because somebody worked with them, and
    the oldest of these changes, which belongs to the counts as `POSITION`. Each change goes with its undoing, so that
    the next batch, in any process, has the rest.
    """
    query = select(ContactImportChange).where(ContactImportChange.import_id == job.id)
    if POSITION in job.counts:
        query = query.where(ContactImportChange.id < job.counts[POSITION])
    changes = db.session.scalars(query.order_by(ContactImportChange.id.desc()).limit(BATCH)).all()
    oldest = changes[-1].id if changes else None
    ids = sorted({change.contact_id for change in changes})
    contacts = {
        contact.id: contact
        for contact in db.session.scalars(
            select(Contact).where(Contact.id.in_(ids)).order_by(Contact.id).with_for_update()
        )
    }
    points: dict[int, list[ContactPoint]] = {}
    for point in db.session.scalars(select(ContactPoint).where(ContactPoint.contact_id.in_(ids))):
        points.setdefault(point.contact_id, []).append(point)
    tagged: dict[int, set[int]] = {}
    links = select(ContactTag.contact_id, ContactTag.tag_id).where(ContactTag.contact_id.in_(ids))
    for contact_id, tag_id in db.session.execute(links):
        tagged.setdefault(contact_id, set()).add(tag_id)
    consenting = set(
        db.session.scalars(
            select(Consent.contact_id).where(Consent.contact_id.in_(ids), Consent.import_id.is_distinct_from(job.id))
        )
    )
    kept, removed = 0, []
    for change in changes:
        contact = contacts[change.contact_id]
        own = points.get(contact.id, [])
        if not change.created:
            _restore(contact, change, own, tagged.get(contact.id, set()))
        elif contact.id not in consenting and _is_untouched(contact, change, own, tagged.get(contact.id, set())):
            removed.append(contact.id)
        else:
            kept += 1
    _delete_changes(changes, removed)
    return len(changes), kept, oldest


def withdraw_consents(job: ContactImport, now: datetime, batch: int = 1_000) -> int:
    """Adds a counter-entry for consents that the import recorded and that have none; returns how many."""
    counter = f"undo of import {job.id}"
    given = (
        select(Consent)
        .where(Consent.import_id == job.id, Consent.state == "given")
        .order_by(Consent.id)
        .offset(job.counts.get("consents_withdrawn", 0))
        .limit(batch)
    )
    entries = db.session.scalars(given).all()
    db.session.add_all(
        Consent(
            workspace_id=job.workspace_id,
            contact_id=entry.contact_id,
            channel=entry.channel,
            purpose=entry.purpose,
            basis=entry.basis,
            state="withdrawn",
            source="import",
            source_detail=counter,
            obtained_at=now,
            recorded_at=now,
            recorded_by=job.actor,
            import_id=job.id,
        )
        for entry in entries
    )
    db.session.flush()
    return len(entries)


def remove_unused_tags(job: ContactImport) -> None:
    """Removes the tags that the import made and no contact has any more."""
    ids = job.counts.get("new_tag_ids", [])
    if ids:
        used = select(ContactTag.tag_id).where(ContactTag.tag_id.in_(ids))
        db.session.execute(
            delete(Tag).where(Tag.id.in_(ids), Tag.id.not_in(used)).execution_options(synchronize_session=False)
        )


def _is_untouched(contact: Contact, change: ContactImportChange, own: Sequence[ContactPoint], tagged: set[int]) -> bool:
    """Whether a contact that the import made is as it was made."""
    values: dict[str, Any] = dict(change.after)
    same_fields = contact.fields == values.pop("fields", {})
    return (
        same_fields
        and contact.owner_id is None
        and all(getattr(contact, name) == value for name, value in values.items())
        and {point.id for point in own} == set(change.point_ids)
        and tagged == set(change.tag_ids)
    )


def _restore(contact: Contact, change: ContactImportChange, own: list[ContactPoint], tagged: set[int]) -> None:
    """Puts back what still is as the import left it."""
    for name, before in change.before.items():
        if name == "updated_at":
            continue
        after = change.after.get(name)
        if name.startswith("fields."):
            key = name.removeprefix("fields.")
            if contact.fields.get(key) == after:
                rest = {known: value for known, value in contact.fields.items() if known != key}
                contact.fields = rest if before is None else rest | {key: before}
        elif getattr(contact, name) == after:
            setattr(contact, name, before)
    _remove_points(change, own)
    gone = tagged & set(change.tag_ids)
    if gone:
        db.session.execute(
            delete(ContactTag)
            .where(ContactTag.contact_id == contact.id, ContactTag.tag_id.in_(gone))
            .execution_options(synchronize_session=False)
        )
        tagged -= gone
    if "updated_at" in change.before and contact.updated_at.isoformat() == change.after["updated_at"]:
        contact.updated_at = datetime.fromisoformat(change.before["updated_at"])
    db.session.flush()


def _remove_points(change: ContactImportChange, own: list[ContactPoint]) -> None:
    added = set(change.point_ids)
    for point in [point for point in own if point.id in added]:
        db.session.delete(point)
        own.remove(point)
    # Gone before another one is made primary: a contact has one of a kind.
    db.session.flush()
    for kind, point_id in change.primaries.items():
        former = next((point for point in own if point.id == point_id), None)
        if former is not None and not any(point.is_primary and point.kind == kind for point in own):
            former.is_primary = True


def _delete_changes(changes: Sequence[ContactImportChange], removed: Sequence[int]) -> None:
    ids = [change.id for change in changes]
    db.session.execute(
        delete(ContactImportChange).where(ContactImportChange.id.in_(ids)).execution_options(synchronize_session=False)
    )
    if removed:
        # By one statement each, so that deleting the contacts finds nothing more to delete with them, row by row.
        for model, column in ((ContactPoint, ContactPoint.contact_id), (ContactTag, ContactTag.contact_id)):
            db.session.execute(
                delete(model).where(among_ids(column, removed)).execution_options(synchronize_session=False)
            )
        db.session.execute(
            delete(Contact).where(among_ids(Contact.id, removed)).execution_options(synchronize_session=False)
        )
