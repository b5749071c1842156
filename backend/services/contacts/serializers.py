"""Contacts as the API shows them, at a constant number of statements for any number of contacts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from backend.core import clock
from backend.models import Consent, Contact, ContactPoint, ContactSettings
from backend.services.contacts import consents, points, settings, suppressions, tags
from backend.services.contacts.identifiers import FIELDS

_OWN: Final = (
    "id", "first_name", "last_name", "company", "title", "locale", "region", "owner_id", "fields", "source",
    "created_at", "updated_at",
)  # fmt: skip


def describe(contacts: Sequence[Contact]) -> list[dict[str, Any]]:
    """What is known of these contacts, in their order: five statements."""
    ids = [contact.id for contact in contacts]
    by_contact = points.of_contacts(ids)
    names = tags.of_contacts(ids)
    entries = consents.current(ids)
    hashes = {point.value_hash for of_one in by_contact.values() for point in of_one}
    suppressed = suppressions.suppressed_among(hashes)
    workspace = settings.get()
    return [
        _own(contact, by_contact.get(contact.id, []), workspace, suppressed)
        | {
            "tags": names.get(contact.id, []),
            "consents": [_consent(entry) for entry in entries.get(contact.id, [])],
        }
        for contact in contacts
    ]


def describe_one(contact: Contact) -> dict[str, Any]:
    """What is known of one contact."""
    return describe([contact])[0]


def _own(
    contact: Contact, own_points: Sequence[ContactPoint], workspace: ContactSettings, suppressed: set[bytes]
) -> dict[str, Any]:
    shown = [points.describe(point, point.value_hash in suppressed) for point in own_points]
    primary = {point["kind"]: point for point in shown if point["is_primary"]}
    zones, zone_source = _zones(contact, primary.get("phone"), workspace)
    return {
        **{name: getattr(contact, name) for name in _OWN},
        **{field: primary[kind]["value"] if kind in primary else None for field, kind in FIELDS.items()},
        "timezone": zones[0] if len(zones) == 1 else None,
        "timezone_source": zone_source,
        "zones": zones,
        "points": shown,
        "suppressed": any(point["suppressed"] for point in shown),
    }


def _zones(contact: Contact, phone: dict[str, Any] | None, workspace: ContactSettings) -> tuple[list[str], str | None]:
    """The zones in all of which a window has to hold, and where they come from; none where nobody knows."""
    if contact.timezone:
        return [contact.timezone], "given"
    if phone is not None and phone["zones"]:
        return phone["zones"], "number"
    return ([workspace.timezone], "workspace") if workspace.timezone else ([], None)


def _consent(entry: Consent) -> dict[str, Any]:
    return {
        "channel": entry.channel,
        "purpose": entry.purpose,
        "state": consents.state_of(entry, clock.now()),
        "night_ok": entry.night_ok,
        "obtained_at": entry.obtained_at,
        "expires_at": entry.expires_at,
    }
