"""Contacts as people and programs make, change and erase them."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import delete, func, select

from backend.core import clock
from backend.core.database import current_workspace_id, db
from backend.core.errors import NotFound
from backend.core.orm import among_ids
from backend.models import Contact, ContactImportChange, ContactPoint, ContactTag, User
from backend.services import caps
from backend.services.auth import audit
from backend.services.auth.attribution import Attribution
from backend.services.contacts import custom_fields, identifiers, points, settings, tags
from backend.services.contacts.faults import ValueFault, invalid
from backend.services.contacts.identifiers import FIELDS, Identifier

TEXTS: Final = ("first_name", "last_name", "company", "title", "locale", "source")
MAX_TEXT: Final = 200
_PLAIN: Final = (*TEXTS, "timezone", "region", "owner_id")


def clean(text: str | None) -> str | None:
    """The text without control characters and spaces around it; None for an empty one."""
    if text is None or (text.isascii() and text.isprintable()):
        return (text or "").strip() or None
    return (
        "".join(char for char in unicodedata.normalize("NFC", text) if char >= " " and char != "\x7f").strip() or None
    )


def create(by: Attribution, values: Mapping[str, Any], *, source: str = "api") -> Contact:
    """Adds a contact to the workspace in scope.

    Raises Invalid (contact_empty, and what is wrong with a value) and Conflict (contact_exists, too_many_contacts).
    """
    require_room(1)
    _check(values)
    region = values.get("region") or settings.get().region
    given = _identifiers(values, region)
    now = clock.now()
    contact = Contact(
        workspace_id=current_workspace_id(),
        fields=_without_empty(custom_fields.check(values.get("fields") or {})),
        created_at=now,
        updated_at=now,
    )
    for name in _PLAIN:
        setattr(contact, name, clean(values.get(name)) if name in TEXTS else values.get(name))
    contact.source = contact.source or source
    if not any((contact.first_name, contact.last_name, contact.company)) and not any(given.values()):
        raise invalid("first_name", "contact_empty", "A contact has a name, a company, or something to be reached by.")
    db.session.add(contact)
    db.session.flush()
    points.add(by, contact, [identifier for identifier in given.values() if identifier], source=source)
    tags.put(contact.id, values.get("tags") or ())
    audit.record(by, "contact.created", f"contact:{contact.id}", source=contact.source)
    return contact


def require_room(count: int) -> None:
    """Raises Conflict (too_many_contacts) where the workspace may not have so many contacts more."""
    present = select(func.count() + count - 1).select_from(Contact).where(Contact.erased_at.is_(None))
    caps.require_room("contacts", present)


def get(contact_id: int, *, lock: bool = False) -> Contact:
    """A contact of the workspace in scope. Raises NotFound, also for one that was erased."""
    contact = db.session.get(Contact, contact_id, with_for_update=lock or None, populate_existing=lock)
    if contact is None or contact.erased_at is not None:
        raise NotFound("contact_not_found", "There is no such contact.")
    return contact


def several(contact_ids: Sequence[int]) -> list[Contact]:
    """Those of these contacts of the workspace in scope that are there: one statement."""
    query = select(Contact).where(among_ids(Contact.id, contact_ids), Contact.erased_at.is_(None))
    return list(db.session.scalars(query))


def change(by: Attribution, contact_id: int, changes: Mapping[str, Any]) -> Contact:
    """Changes the fields that are named; custom fields that are not named stay. Raises what `create` does, NotFound."""
    _check(changes)
    contact = get(contact_id, lock=True)
    region = changes.get("region") or contact.region or settings.get().region
    given = _identifiers(changes, region)
    for name in _PLAIN:
        if name in changes:
            setattr(contact, name, clean(changes[name]) if name in TEXTS else changes[name])
    if changes.get("fields"):
        contact.fields = _without_empty(contact.fields | custom_fields.check(changes["fields"]))
    for field, identifier in given.items():
        points.set_primary(by, contact, field, identifier, source="api")
    if "tags" in changes:
        tags.put(contact.id, changes["tags"] or ())
    contact.updated_at = clock.now()
    db.session.flush()
    audit.record(by, "contact.changed", f"contact:{contact.id}", fields=sorted(changes))
    return contact


def erase(by: Attribution, contact_id: int) -> None:
    """Erases a person: points, tags and values go; the empty row, consents and suppressions stay. Raises NotFound."""
    contact = get(contact_id, lock=True)
    for model in (ContactPoint, ContactTag, ContactImportChange):
        db.session.execute(
            delete(model).where(model.contact_id == contact_id).execution_options(synchronize_session="fetch")
        )
    for name in _PLAIN:
        setattr(contact, name, None)
    contact.fields = {}
    contact.erased_at = contact.updated_at = clock.now()
    db.session.flush()
    audit.record(by, "contact.erased", f"contact:{contact_id}")


def _identifiers(values: Mapping[str, Any], region: str | None) -> dict[str, Identifier | None]:
    """What was given of the fields that identify. Raises Invalid."""
    given: dict[str, Identifier | None] = {}
    for field in FIELDS:
        if field not in values:
            continue
        text = values[field]
        try:
            given[field] = identifiers.of_field(field, text, region) if text else None
        except ValueFault as fault:
            raise invalid(field, fault.code, fault.hint) from None
    return given


def _check(values: Mapping[str, Any]) -> None:
    settings.check_region(values.get("region"))
    settings.check_timezone(values.get("timezone"))
    owner_id = values.get("owner_id")
    if owner_id is not None and db.session.scalar(select(User.id).where(User.id == owner_id)) is None:
        raise NotFound("person_not_found", "There is no such person.")


def _without_empty(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in fields.items() if value is not None}
