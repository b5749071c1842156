"""Whom a campaign is for: contacts by id, tags, a filter or a segment, found again until the launch takes them down."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any, Final

from sqlalchemy import select

from backend.core.database import db
from backend.core.errors import NotFound
from backend.core.orm import among_ids
from backend.models import Contact
from backend.services.contacts import filters, segments
from backend.services.contacts.filters import ContactFilter

KEYS: Final = ("contact_ids", "tags", "filter", "segment_id")


def stored(audience: Mapping[str, Any]) -> dict[str, Any]:
    """The audience as it is kept: what is empty is left out, each id once. Raises NotFound for ids that are not there.

    A filter is checked by the query that it stands for; it raises what `contacts.filters` raises.
    """
    kept = {key: audience[key] for key in KEYS if audience.get(key) not in (None, [], ())}
    if "contact_ids" in kept:
        kept["contact_ids"] = list(dict.fromkeys(int(contact_id) for contact_id in kept["contact_ids"]))
        require(kept["contact_ids"])
    if "filter" in kept:
        kept["filter"] = ContactFilter.of(kept["filter"]).stored()
        filters.select_contacts(ContactFilter.of(kept["filter"]))
    if "segment_id" in kept:
        segments.get(kept["segment_id"])
    return kept


def require(contact_ids: Sequence[int]) -> None:
    """Raises NotFound (contact_not_found, with the ids) unless all of these contacts are there."""
    there = _existing(contact_ids)
    missing = [contact_id for contact_id in contact_ids if contact_id not in there]
    if missing:
        raise NotFound(
            "contact_not_found", "Some of these contacts do not exist.", detail={"contact_ids": missing[:100]}
        )


def contact_ids(audience: Mapping[str, Any]) -> list[int]:
    """The contacts of an audience now, each once: those that are named first, in their order, then the others by id.

    Raises NotFound for a segment that is gone.
    """
    ids_in_order: dict[int, None] = dict.fromkeys(audience.get("contact_ids") or ())
    if ids_in_order:
        there = _existing(list(ids_in_order))
        ids_in_order = {contact_id: None for contact_id in ids_in_order if contact_id in there}
    for wanted in _filters(audience):
        query = filters.select_contacts(wanted).with_only_columns(Contact.id).order_by(Contact.id)
        ids_in_order.update(dict.fromkeys(db.session.scalars(query)))
    return list(ids_in_order)


def digest(ids: Sequence[int]) -> bytes:
    """A digest (32 bytes) of who is in an audience."""
    return sha256(json.dumps(sorted(ids)).encode()).digest()


def _existing(contact_ids: Sequence[int]) -> set[int]:
    """Which of these contacts are there."""
    query = select(Contact.id).where(among_ids(Contact.id, contact_ids), Contact.erased_at.is_(None))
    return set(db.session.scalars(query))


def _filters(audience: Mapping[str, Any]) -> list[ContactFilter]:
    wanted = [ContactFilter(tag=(name,)) for name in audience.get("tags") or ()]
    if audience.get("filter") is not None:
        wanted.append(ContactFilter.of(audience["filter"]))
    if audience.get("segment_id"):
        wanted.append(segments.filter_of(audience["segment_id"]))
    return wanted
