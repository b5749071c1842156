"""The points of contacts: what identifies a person, unique in the workspace by keyed hash."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from backend.core import clock
from backend.core.database import db
from backend.core.errors import NotFound
from backend.models import Contact, ContactPoint
from backend.services.auth import audit
from backend.services.auth.attribution import Attribution
from backend.services.contacts import identifiers, phones, settings, suppressions
from backend.services.contacts.faults import ValueFault, contact_exists, invalid
from backend.services.contacts.identifiers import FIELD_OF, Identifier, hash_of

MAX_POINTS = 50
"""Points that one contact can have."""


def of_contacts(contact_ids: Collection[int]) -> dict[int, list[ContactPoint]]:
    """The points of these contacts, the primary one of each kind first."""
    query = (
        select(ContactPoint)
        .where(ContactPoint.contact_id.in_(contact_ids))
        .order_by(ContactPoint.contact_id, ContactPoint.kind, ContactPoint.is_primary.desc(), ContactPoint.id)
    )
    found_points: dict[int, list[ContactPoint]] = {}
    for point in db.session.scalars(query):
        found_points.setdefault(point.contact_id, []).append(point)
    return found_points


def find(identifier: Identifier) -> ContactPoint | None:
    """The point with this identifier in the workspace in scope."""
    return db.session.scalar(
        select(ContactPoint).where(ContactPoint.kind == identifier.kind, ContactPoint.value_hash == identifier.hash())
    )


def add(
    by: Attribution,
    contact: Contact,
    given: Sequence[Identifier],
    *,
    source: str,
    label: str | None = None,
    primary: bool = False,
) -> list[ContactPoint]:
    """Adds what the contact does not have yet; the first of a kind is primary, with `primary` the last that is given.

    Raises Conflict (contact_exists) for what another contact has, and Invalid (too_many_points). A contact of which
    something is suppressed is suppressed under what is added, too.
    """
    present = of_contacts([contact.id]).get(contact.id, [])
    added = []
    for identifier in given:
        own = next((p for p in present if p.kind == identifier.kind and p.value_hash == identifier.hash()), None)
        if own is None:
            if len(present) >= MAX_POINTS:
                raise invalid("points", "too_many_points", f"A contact has at most {MAX_POINTS} points.")
            own = _insert(contact, identifier, source, label)
            present.append(own)
            added.append(own)
        is_first = not any(p.is_primary and p.kind == identifier.kind for p in present)
        if (primary or is_first) and not own.is_primary:
            _make_primary(own, present)
    suppressions.inherit([contact.id], by)
    return added


def set_primary(by: Attribution, contact: Contact, field: str, identifier: Identifier | None, *, source: str) -> None:
    """Puts an identifier in the place of the primary one of its kind, which goes; None takes that away.

    Another one that the contact has of this kind becomes primary then. Raises Conflict (contact_exists).
    """
    kind = identifier.kind if identifier is not None else _kind_of(field)
    present = [p for p in of_contacts([contact.id]).get(contact.id, []) if p.kind == kind]
    primary = next((p for p in present if p.is_primary), None)
    if identifier is not None:
        if primary is not None and primary.value_hash == identifier.hash():
            return
        holder = find(identifier)
        if holder is not None and holder.contact_id != contact.id:
            raise contact_exists(holder.contact_id, field)
    if primary is not None:
        _delete(primary)
    rest = [p for p in present if p is not primary]
    if identifier is not None:
        add(by, contact, [identifier], source=source, primary=True)
    elif rest:
        _make_primary(rest[0], rest)


def add_one(
    by: Attribution, contact: Contact, kind: str, value: str, *, label: str | None, primary: bool
) -> dict[str, Any]:
    """Adds one point to a contact, or finds the one that is there, and shows it. Raises Invalid, and as `add` does."""
    try:
        identifier = identifiers.of_kind(kind, value, contact.region or settings.get().region)
    except ValueFault as fault:
        raise invalid("value", fault.code, fault.hint) from None
    add(by, contact, [identifier], source="api", label=label, primary=primary)
    point = find(identifier)
    assert point is not None, "a point that was just added"
    contact.updated_at = clock.now()
    audit.record(by, "contact.point_added", f"contact:{contact.id}", kind=identifier.kind)
    return describe(point, bool(suppressions.suppressed_among({point.value_hash})))


def describe(point: ContactPoint, suppressed: bool) -> dict[str, Any]:
    """One point as the API shows it; `state` is `identity_changed` for a user name that means somebody else by now."""
    return {
        "id": point.id,
        "kind": point.kind,
        "value": point.value,
        "label": point.label,
        "is_primary": point.is_primary,
        "validity": point.validity,
        "zones": list(phones.zones_of(point.value)) if point.kind == "phone" else [],
        "state": "identity_changed" if point.changed_at else "ok",
        "suppressed": suppressed,
        "created_at": point.created_at,
    }


def remove(by: Attribution, contact: Contact, point_id: int) -> None:
    """Removes a point of a contact; another one of its kind becomes primary. Raises NotFound."""
    point = db.session.get(ContactPoint, point_id)
    if point is None or point.contact_id != contact.id:
        raise NotFound("point_not_found", "The contact has no such point.")
    _delete(point)
    rest = [p for p in of_contacts([contact.id]).get(contact.id, []) if p.kind == point.kind]
    if rest and not any(p.is_primary for p in rest):
        _make_primary(rest[0], rest)
    contact.updated_at = clock.now()
    audit.record(by, "contact.point_removed", f"contact:{contact.id}", kind=point.kind)


def pin_username(point: ContactPoint, telegram_user_id: str) -> bool:
    """Notes which Telegram user a user name means now; False where it is another than the first one.

    A name that changed hands stays `identity_changed` for good: nothing may be written to it.
    """
    user_hash = hash_of("telegram_user", telegram_user_id)
    if point.pinned_hash is None:
        point.pinned_hash = user_hash
    elif point.pinned_hash != user_hash and point.changed_at is None:
        point.changed_at = clock.now()
    db.session.flush()
    return point.changed_at is None


def _kind_of(field: str) -> str:
    return next(kind for kind, name in FIELD_OF.items() if name == field)


def _insert(contact: Contact, identifier: Identifier, source: str, label: str | None) -> ContactPoint:
    point = ContactPoint(
        workspace_id=contact.workspace_id,
        contact_id=contact.id,
        kind=identifier.kind,
        value_hash=identifier.hash(),
        label=label,
        is_primary=False,
        validity=identifier.validity,
        source=source,
        created_at=clock.now(),
    )
    point.value = identifier.value
    holder = find(identifier)
    if holder is None:
        try:
            with db.session.begin_nested():
                db.session.add(point)
                db.session.flush()
            return point
        except IntegrityError:
            # Somebody stored the same one between the question and the insert.
            holder = find(identifier)
            if holder is None:
                raise
    raise contact_exists(holder.contact_id, FIELD_OF[identifier.kind])


def _make_primary(point: ContactPoint, present: Sequence[ContactPoint]) -> None:
    # The other one first: a contact has one primary point of a kind at any moment.
    for other in present:
        if other.kind == point.kind and other.is_primary and other is not point:
            other.is_primary = False
    db.session.flush()
    point.is_primary = True
    db.session.flush()


def _delete(point: ContactPoint) -> None:
    db.session.delete(point)
    db.session.flush()
