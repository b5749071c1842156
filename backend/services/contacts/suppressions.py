"""Suppressions: who must not be written to, as keyed hashes. A person is suppressed under each identifier they have."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any, Final

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert

from backend.core import clock
from backend.core.database import current_workspace_id, db
from backend.core.errors import NotFound
from backend.models import ContactPoint, Suppression
from backend.services import conversations, live, paging
from backend.services.auth import audit
from backend.services.auth.attribution import Attribution
from backend.services.contacts import identifiers, settings
from backend.services.contacts.faults import ValueFault, invalid
from backend.services.contacts.identifiers import Identifier

CODES: Final = ("opted_out", "complaint", "requested", "imported", "other")
TOPIC: Final = "suppressions"


def suppress(by: Attribution, given: Sequence[Identifier], *, code: str, source: str) -> int:
    """Suppresses these identifiers and all others of the contacts that have them; returns how many rows are new."""
    added = add([(identifier.kind, identifier.hash()) for identifier in given], by, code, source)
    hashes = [identifier.hash() for identifier in given]
    added += inherit(holders_of(hashes), by)
    audit.record(by, "suppression.added", code=code, source=source, added=added)
    return added


def suppress_value(by: Attribution, kind: str, value: str, region: str | None, *, code: str) -> int:
    """Suppresses one identifier as somebody wrote it; returns how many rows are new. Raises Invalid."""
    settings.check_region(region)
    try:
        identifier = identifiers.of_kind(kind, value, region or settings.get().region)
    except ValueFault as fault:
        raise invalid("value", fault.code, fault.hint) from None
    return suppress(by, [identifier], code=code, source="api")


def suppress_contact(by: Attribution, contact_id: int, *, code: str, source: str) -> int:
    """Suppresses all identifiers of a contact; returns how many rows are new. Raises Invalid where it has none."""
    points = db.session.execute(
        select(ContactPoint.kind, ContactPoint.value_hash).where(ContactPoint.contact_id == contact_id)
    ).all()
    if not points:
        raise invalid("contact_id", "no_point", "The contact has nothing that could be suppressed.")
    added = add([(kind, value_hash) for kind, value_hash in points], by, code, source)
    audit.record(by, "suppression.added", f"contact:{contact_id}", code=code, source=source, added=added)
    return added


def kind_of(channel: str) -> str:
    """The kind of identifier that a person is known by on a channel."""
    return "telegram_user" if conversations.family_of(channel) == conversations.family_of("telegram_user") else channel


def add(hashes: Iterable[tuple[str, bytes]], by: Attribution, code: str, source: str) -> int:
    """Stores rows of (kind, hash) that are not there yet; returns how many. One that is there keeps its reason."""
    now, workspace_id = clock.now(), current_workspace_id()
    rows = [
        {
            "workspace_id": workspace_id,
            "external_hash": value_hash,
            "kind": kind,
            "code": code,
            "source": source,
            "created_by": by.label,
            "created_at": now,
        }
        for kind, value_hash in sorted(set(hashes))
    ]
    if not rows:
        return 0
    statement = insert(Suppression).values(rows).on_conflict_do_nothing().returning(Suppression.id)
    added = len(db.session.scalars(statement).all())
    if added and workspace_id is not None:
        live.note(workspace_id, TOPIC)
    return added


def inherit(contact_ids: Collection[int], by: Attribution) -> int:
    """Suppresses what these contacts have besides, where something of theirs is suppressed; returns how many rows."""
    if not contact_ids:
        return 0
    points = db.session.execute(
        select(ContactPoint.contact_id, ContactPoint.kind, ContactPoint.value_hash, Suppression.code)
        .outerjoin(Suppression, Suppression.external_hash == ContactPoint.value_hash)
        .where(ContactPoint.contact_id.in_(contact_ids))
        .order_by(ContactPoint.id)
    ).all()
    codes: dict[int, str] = {}
    for contact_id, _, _, code in points:
        if code is not None:
            codes.setdefault(contact_id, code)
    by_code: dict[str, list[tuple[str, bytes]]] = {}
    for contact_id, kind, value_hash, code in points:
        if code is None and contact_id in codes:
            by_code.setdefault(codes[contact_id], []).append((kind, value_hash))
    return sum(add(hashes, by, code, "inherited") for code, hashes in by_code.items())


def holders_of(hashes: Collection[bytes]) -> set[int]:
    """The contacts that have one of these identifiers."""
    query = select(ContactPoint.contact_id).where(ContactPoint.value_hash.in_(hashes))
    return set(db.session.scalars(query)) if hashes else set()


def suppressed_among(hashes: Collection[bytes]) -> set[bytes]:
    """Which of these hashes are suppressed."""
    if not hashes:
        return set()
    query = select(Suppression.external_hash).where(Suppression.external_hash.in_(hashes))
    return {bytes(value_hash) for value_hash in db.session.scalars(query)}


def listing(
    *,
    kind: str | None = None,
    contact_id: int | None = None,
    cursor: str | None = None,
    limit: int = paging.DEFAULT_LIMIT,
) -> tuple[list[Suppression], str | None]:
    """The workspace's suppressions, newest first."""
    query = select(Suppression)
    if kind is not None:
        query = query.where(Suppression.kind == kind)
    if contact_id is not None:
        hashes = select(ContactPoint.value_hash).where(ContactPoint.contact_id == contact_id)
        query = query.where(Suppression.external_hash.in_(hashes))
    return paging.page(query, Suppression.id, cursor=cursor, limit=limit)


def contacts_of(rows: Sequence[Suppression]) -> dict[int, int]:
    """By a suppression's id, the contact that has its identifier now."""
    query = select(ContactPoint.value_hash, ContactPoint.contact_id).where(
        ContactPoint.value_hash.in_([row.external_hash for row in rows])
    )
    holders = {bytes(value_hash): contact_id for value_hash, contact_id in db.session.execute(query)}
    return {row.id: holders[row.external_hash] for row in rows if row.external_hash in holders}


def get(suppression_id: int) -> Suppression:
    """A suppression of the workspace in scope. Raises NotFound."""
    suppression = db.session.get(Suppression, suppression_id)
    if suppression is None:
        raise NotFound("suppression_not_found", "There is no such suppression.")
    return suppression


def lift(by: Attribution, suppression_id: int, reason: str) -> int:
    """Lifts a suppression, and those of the other identifiers of the contact that has it; returns how many rows.

    The reason goes into the audit. Raises NotFound.
    """
    suppression = get(suppression_id)
    holder = contacts_of([suppression]).get(suppression_id)
    hashes: list[Any] = [suppression.external_hash]
    if holder is not None:
        hashes += db.session.scalars(select(ContactPoint.value_hash).where(ContactPoint.contact_id == holder)).all()
    return _lift(by, hashes, f"suppression:{suppression_id}", reason=reason)


def lift_by_person(by: Attribution, identifier: Identifier) -> int:
    """Lifts what is suppressed of the person who has this identifier and wrote or agreed themselves."""
    holders = select(ContactPoint.contact_id).where(ContactPoint.value_hash == identifier.hash())
    query = select(ContactPoint.value_hash).where(ContactPoint.contact_id.in_(holders))
    return _lift(by, [identifier.hash(), *db.session.scalars(query)], None, reason="person")


def lift_of_contact(by: Attribution, contact_id: int) -> int:
    """Lifts what is suppressed of a contact who agreed themselves; returns how many rows."""
    query = select(ContactPoint.value_hash).where(ContactPoint.contact_id == contact_id)
    return _lift(by, db.session.scalars(query).all(), f"contact:{contact_id}", reason="person")


def _lift(by: Attribution, hashes: Sequence[bytes], subject: str | None, *, reason: str) -> int:
    lifted = db.session.scalars(
        delete(Suppression)
        .where(Suppression.external_hash.in_(hashes))
        .returning(Suppression.id)
        .execution_options(synchronize_session=False)
    ).all()
    audit.record(by, "suppression.lifted", subject, reason=reason, lifted=len(lifted))
    workspace_id = current_workspace_id()
    if lifted and workspace_id is not None:
        live.note(workspace_id, TOPIC)
    return len(lifted)
