"""Custom fields of a workspace's contacts: their definitions, and values of their types."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import func, select, update

from backend.core import clock
from backend.core.database import current_workspace_id, db
from backend.core.errors import Conflict, NotFound
from backend.models import Contact, ContactField
from backend.services import caps, paging
from backend.services.auth import audit
from backend.services.auth.attribution import Attribution
from backend.services.contacts import dates
from backend.services.contacts.faults import ValueFault, invalid

TYPES: Final = ("text", "number", "date", "boolean", "choice")
MAX_TEXT: Final = 2_000
MAX_CHOICES: Final = 100
KEY: Final = re.compile(r"[a-z][a-z0-9_]{0,39}")
RESERVED: Final = frozenset(
    [
        "first_name",
        "last_name",
        "company",
        "title",
        "email",
        "phone",
        "telegram_username",
        "telegram_user_id",
        "locale",
        "timezone",
        "region",
        "owner_id",
        "tags",
        "fields",
        "source",
        "consent_at",
        "consent_source",
        "do_not_contact",
        "id",
    ]
)
"""Names that a template or an import means otherwise."""
_TRUE: Final = frozenset(["true", "yes", "y", "1", "x", "ja", "oui", "si", "sí", "да", "はい", "예", "네", "是", "on"])
_FALSE: Final = frozenset(["false", "no", "n", "0", "nein", "non", "нет", "いいえ", "아니오", "아니요", "否", "off"])


def listing(*, cursor: str | None = None, limit: int = paging.DEFAULT_LIMIT) -> tuple[list[ContactField], str | None]:
    """The workspace's custom fields, oldest first."""
    return paging.page(select(ContactField), ContactField.id, cursor=cursor, limit=limit, descending=False)


def by_key() -> dict[str, ContactField]:
    """All custom fields of the workspace in scope."""
    return {field.key: field for field in db.session.scalars(select(ContactField).order_by(ContactField.id))}


def get(field_id: int) -> ContactField:
    """A custom field of the workspace in scope. Raises NotFound."""
    field = db.session.get(ContactField, field_id)
    if field is None:
        raise NotFound("contact_field_not_found", "There is no such field.")
    return field


def create(by: Attribution, key: str, name: str, kind: str, choices: Sequence[str] = ()) -> ContactField:
    """Adds a custom field. Raises Invalid, and Conflict (contact_field_exists, too_many_fields)."""
    if not KEY.fullmatch(key):
        raise invalid("key", "key_invalid", "A key has lower-case letters, digits and underscores, at most 40.")
    if key in RESERVED:
        raise invalid("key", "key_reserved", "Every contact has a field of this name.")
    known = by_key()
    if key in known:
        raise Conflict("contact_field_exists", "There is a field with this key.", detail={"field_id": known[key].id})
    caps.require_room("contact_fields", select(func.count()).select_from(ContactField))
    field = ContactField(
        workspace_id=current_workspace_id(),
        key=key,
        name=name,
        type=kind,
        choices=_checked_choices(kind, choices),
        created_at=clock.now(),
    )
    db.session.add(field)
    db.session.flush()
    audit.record(by, "contact_field.created", f"contact_field:{field.id}", key=key)
    return field


def change(by: Attribution, field_id: int, changes: Mapping[str, Any]) -> ContactField:
    """Changes name or choices; key and type stay. Values that are no choice any more stay at their contacts.

    Raises NotFound and Invalid.
    """
    field = get(field_id)
    if "name" in changes:
        field.name = changes["name"]
    if "choices" in changes:
        field.choices = _checked_choices(field.type, changes["choices"])
    db.session.flush()
    audit.record(by, "contact_field.changed", f"contact_field:{field.id}", fields=sorted(changes))
    return field


def remove(by: Attribution, field_id: int) -> None:
    """Removes a field and its values from all contacts. Raises NotFound."""
    field = get(field_id)
    db.session.execute(
        update(Contact)
        .where(Contact.fields.has_key(field.key))
        .values(fields=Contact.fields.op("-")(field.key), updated_at=clock.now())
        .execution_options(synchronize_session="fetch")
    )
    db.session.delete(field)
    db.session.flush()
    audit.record(by, "contact_field.deleted", f"contact_field:{field_id}", key=field.key)


def check(values: Mapping[str, Any]) -> dict[str, Any]:
    """Values as they are stored; None takes a field away. Raises Invalid naming each field at fault."""
    known = by_key()
    checked: dict[str, Any] = {}
    for key, value in values.items():
        field = known.get(key)
        if field is None:
            raise invalid(f"fields.{key[:100]}", "unknown_contact_field", "There is no field with this key.")
        try:
            checked[key] = None if value is None else typed(field, value)
        except ValueFault as fault:
            raise invalid(f"fields.{key}", fault.code, fault.hint) from None
    return checked


def typed(field: ContactField, value: Any) -> Any:
    """One value of a field's type, also from text. Raises ValueFault: too_long, bad_number, bad_date, bad_value."""
    if field.type == "number":
        return _number(value)
    if field.type == "boolean":
        return value if isinstance(value, bool) else boolean(str(value))
    written = str(value).strip() if not isinstance(value, bool | dict | list) else ""
    if not written:
        raise ValueFault("bad_value", f"The field {field.key} takes a text.")
    if field.type == "date":
        return dates.parse(written).date().isoformat()
    if len(written) > MAX_TEXT:
        raise ValueFault("too_long", f"A text has at most {MAX_TEXT} characters.")
    if field.type == "choice":
        chosen = next((choice for choice in field.choices if choice.casefold() == written.casefold()), None)
        if chosen is None:
            raise ValueFault("bad_value", f"The field {field.key} takes one of its choices.")
        return chosen
    return written


def boolean(written: str) -> bool:
    """Yes or no in the usual words of eight languages. Raises ValueFault (bad_value)."""
    word = written.strip().casefold()
    if word not in _TRUE | _FALSE:
        raise ValueFault("bad_value", "This is neither yes nor no.")
    return word in _TRUE


def _number(value: Any) -> int | float:
    if isinstance(value, bool):
        raise ValueFault("bad_number", "This is no number.")
    try:
        number = float(value) if not isinstance(value, int) else value
    except (TypeError, ValueError):
        raise ValueFault("bad_number", "Write a number with a point and without groups, such as 1234.5.") from None
    if not math.isfinite(number) or abs(number) > 10**15:
        raise ValueFault("bad_number", "The number is too large.")
    return int(number) if number == int(number) else number


def _checked_choices(kind: str, choices: Sequence[str]) -> list[str]:
    cleaned = list(dict.fromkeys(choice.strip() for choice in choices if choice.strip()))
    if kind != "choice" and cleaned:
        raise invalid("choices", "choices_not_allowed", "Only a field of the type choice has choices.")
    if kind == "choice" and not 1 <= len(cleaned) <= MAX_CHOICES:
        raise invalid("choices", "choices_missing", f"A field of the type choice has 1 to {MAX_CHOICES} choices.")
    return cleaned
