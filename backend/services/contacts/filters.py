"""Which contacts: a filter as plain values, and the query that it stands for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, and_, func, not_, or_, select

from backend.core import clock
from backend.core.database import db
from backend.models import Consent, Contact, ContactImportChange, ContactPoint, ContactTag, Suppression, Tag
from backend.services import text_search
from backend.services.contacts import custom_fields, identifiers, settings
from backend.services.contacts.faults import ValueFault, invalid

HAS: Final = ("phone", "email", "telegram_username", "telegram_user_id")


@dataclass(frozen=True, slots=True)
class ContactFilter:
    """What the contacts have in common; what is None or empty does not count.

    `tag`: all of these names. `has`: all of these fields. `field`: `key:value` of custom fields, all of them.
    `consent`: a purpose for which a consent is in force, on any channel.
    """

    q: str | None = None
    tag: tuple[str, ...] = ()
    without_tag: tuple[str, ...] = ()
    owner_id: int | None = None
    source: str | None = None
    region: str | None = None
    has: tuple[str, ...] = ()
    field: tuple[str, ...] = ()
    suppressed: bool | None = None
    consent: str | None = None
    import_id: int | None = None
    created_from: datetime | None = None
    created_to: datetime | None = None

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> ContactFilter:
        """A filter of the values that are given, also as they were stored."""
        known = {item.name for item in fields(cls)}
        given = {key: value for key, value in values.items() if key in known and value not in (None, [], "")}
        for key in ("tag", "without_tag", "has", "field"):
            if key in given:
                given[key] = tuple(given[key])
        for key in ("created_from", "created_to"):
            if isinstance(given.get(key), str):
                given[key] = datetime.fromisoformat(given[key])
        return cls(**given)

    def stored(self) -> dict[str, Any]:
        """The filter as JSON: only what counts."""
        return {
            key: value.isoformat()
            if isinstance(value, datetime)
            else list(value)
            if isinstance(value, tuple)
            else value
            for key, value in asdict(self).items()
            if value not in (None, ())
        }


def select_contacts(*filters: ContactFilter) -> Select[Any]:
    """The query of the contacts of the workspace in scope that pass all of these filters.

    Raises Invalid for a custom field that is not there.
    """
    query = select(Contact).where(Contact.erased_at.is_(None))
    for wanted in filters:
        query = query.where(*_plain(wanted), *_related(wanted))
    return query


def count(wanted: ContactFilter) -> int:
    """How many contacts a filter finds. Raises Invalid, and Unavailable where counting takes too long."""
    query = select_contacts(wanted).with_only_columns(func.count(Contact.id))
    with text_search.bounded():
        number: int = db.session.execute(query).scalar_one()
    return number


def count_up_to(most: int, *wanted: ContactFilter) -> int:
    """How many contacts pass all of these filters, at most `most`. Raises Invalid, and Unavailable as `count` does."""
    some = select_contacts(*wanted).with_only_columns(Contact.id).limit(most).subquery()
    with text_search.bounded():
        number: int = db.session.execute(select(func.count()).select_from(some)).scalar_one()
    return number


def _plain(wanted: ContactFilter) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if wanted.owner_id is not None:
        conditions.append(Contact.owner_id == wanted.owner_id)
    if wanted.source is not None:
        conditions.append(Contact.source == wanted.source)
    if wanted.region is not None:
        conditions.append(Contact.region == wanted.region)
    if wanted.created_from is not None:
        conditions.append(Contact.created_at >= wanted.created_from)
    if wanted.created_to is not None:
        conditions.append(Contact.created_at < wanted.created_to)
    if wanted.field:
        known = custom_fields.by_key()
        for item in wanted.field:
            key, _, value = item.partition(":")
            if key not in known:
                raise invalid("field", "unknown_contact_field", "There is no field with this key.")
            try:
                conditions.append(Contact.fields.contains({key: custom_fields.typed(known[key], value)}))
            except ValueFault as fault:
                raise invalid("field", fault.code, fault.hint) from None
    if wanted.q:
        conditions.append(_search(wanted.q))
    return conditions


def _related(wanted: ContactFilter) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = [Contact.id.in_(_tagged(name)) for name in wanted.tag]
    conditions += [not_(Contact.id.in_(_tagged(name))) for name in wanted.without_tag]
    for name in wanted.has:
        kind = identifiers.FIELDS[name]
        conditions.append(Contact.id.in_(select(ContactPoint.contact_id).where(ContactPoint.kind == kind)))
    if wanted.suppressed is not None:
        suppressed = select(ContactPoint.contact_id).join(
            Suppression, Suppression.external_hash == ContactPoint.value_hash
        )
        inside = Contact.id.in_(suppressed)
        conditions.append(inside if wanted.suppressed else not_(inside))
    if wanted.consent is not None:
        conditions.append(Contact.id.in_(_consenting(wanted.consent)))
    if wanted.import_id is not None:
        touched = select(ContactImportChange.contact_id).where(ContactImportChange.import_id == wanted.import_id)
        conditions.append(Contact.id.in_(touched))
    return conditions


def _tagged(name: str) -> Select[Any]:
    return (
        select(ContactTag.contact_id)
        .join(Tag, Tag.id == ContactTag.tag_id)
        .where(Tag.name_folded == name.strip().casefold())
    )


def _consenting(purpose: str) -> Select[Any]:
    """The contacts whose latest entry on some channel is a consent in force."""
    place = func.row_number().over(
        partition_by=(Consent.contact_id, Consent.channel), order_by=(Consent.obtained_at.desc(), Consent.id.desc())
    )
    ranked = select(Consent.id, place.label("place")).where(Consent.purpose == purpose).subquery()
    latest = select(ranked.c.id).where(ranked.c.place == 1)
    in_force = or_(Consent.expires_at.is_(None), Consent.expires_at > clock.now())
    return select(Consent.contact_id).where(Consent.id.in_(latest), Consent.state == "given", in_force)


def _search(words: str) -> ColumnElement[bool]:
    """Each word in a name, company or title, or the whole as a number, address or user name."""
    name = func.concat_ws(" ", Contact.last_name, Contact.first_name, Contact.last_name, Contact.company, Contact.title)
    joined = func.concat(Contact.last_name, Contact.first_name)
    by_words = and_(
        *(
            or_(
                name.ilike(text_search.holding(word), escape="\\"), joined.ilike(text_search.holding(word), escape="\\")
            )
            for word in words.split()[:10]
        )
    )
    hashes = [identifier.hash() for identifier in identifiers.all_of(words, settings.get().region)]
    if not hashes:
        return by_words
    identified = select(ContactPoint.contact_id).where(ContactPoint.value_hash.in_(hashes))
    return or_(by_words, Contact.id.in_(identified))
