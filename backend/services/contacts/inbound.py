"""Contacts of people who write: made with the first message, and linked to the identity that wrote it.

A number is a person's only where the provider says so: it is the number that the message came from, or the answer to a
request for it. A card that somebody passes on proves nothing. A contact that already has one of the person's points is
theirs. Runs in the system scope, many people at once.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import BigInteger, LargeBinary, Text, bindparam, func, select, text
from sqlalchemy.dialects.postgresql import ARRAY

from backend.core import bulk, clock
from backend.core.database import db
from backend.core.errors import Conflict
from backend.core.logging import get_logger
from backend.models import Contact, ContactPoint
from backend.services import caps, live
from backend.services.contacts.identifiers import Identifier, hash_of

log = get_logger(__name__)

SOURCE: Final = "message"
"""The `source` of contacts and points that came with a person's message."""


@dataclass(frozen=True, slots=True)
class Writer:
    """Somebody who wrote and whose identity has no contact yet. `points` are what the provider vouches for."""

    identity_id: int
    workspace_id: int
    name: str
    points: tuple[Identifier, ...]
    locale: str | None = None
    username: str | None = None


def telegram_points(user_id: str) -> tuple[Identifier, ...]:
    """The points of a person of Telegram."""
    return (Identifier("telegram_user", user_id),)


def ensure(writers: Sequence[Writer]) -> dict[int, int]:
    """Links people to their contacts, made where there are none, in the caller's transaction; the contacts' ids by
    those of the identities. Somebody for whom the workspace has no room stays without one."""
    by_identity = {writer.identity_id: writer for writer in writers}
    waiting = [by_identity[identity_id] for identity_id in sorted(by_identity)]
    if not waiting:
        return {}
    owners = _owners(waiting)
    linked: dict[int, int] = {}
    new: list[Writer] = []
    for writer in waiting:
        own = [owners[key] for point in writer.points if (key := _key(writer, point)) in owners]
        if own:
            linked[writer.identity_id] = own[0]
        else:
            new.append(writer)
    new = _with_room(new)
    created = _make(new)
    linked |= created
    _add_points([writer for writer in waiting if writer.identity_id in linked], linked, set(created.values()))
    _link(linked)
    return linked


def _key(writer: Writer, point: Identifier) -> tuple[int, str, bytes]:
    return writer.workspace_id, point.kind, hash_of(point.kind, point.value)


def _owners(writers: Sequence[Writer]) -> dict[tuple[int, str, bytes], int]:
    keys = sorted({_key(writer, point) for writer in writers for point in writer.points})
    if not keys:
        return {}
    values = {
        "workspaces": [key[0] for key in keys],
        "kinds": [key[1] for key in keys],
        "hashes": [key[2] for key in keys],
    }
    rows = db.session.execute(_OWNERS, values)
    return {(row.workspace_id, row.kind, bytes(row.value_hash)): row.contact_id for row in rows}


def _with_room(writers: Sequence[Writer]) -> list[Writer]:
    """Those whose workspaces have room for one contact more."""
    room: dict[int, int] = {}
    kept = []
    for writer in writers:
        taken = room.get(writer.workspace_id, 0) + 1
        present = (
            select(func.count() + taken - 1)
            .select_from(Contact)
            .where(Contact.erased_at.is_(None), Contact.workspace_id == writer.workspace_id)
        )
        try:
            if taken == 1 or taken % 50 == 0:
                caps.require_room("contacts", present)
        except Conflict:
            log.warning("contact_not_made", workspace_id=writer.workspace_id, code="too_many_contacts")
            continue
        room[writer.workspace_id] = taken
        kept.append(writer)
    return kept


def _make(writers: Sequence[Writer]) -> dict[int, int]:
    ids = bulk.reserve_ids(Contact, len(writers))
    now, rows, created = clock.now(), list[dict[str, Any]](), dict[int, int]()
    for writer, contact_id in zip(writers, ids, strict=True):
        first, _, last = writer.name.strip().partition(" ")
        rows.append(
            {
                "id": contact_id,
                "workspace_id": writer.workspace_id,
                "first_name": first[:200] or writer.username or None,
                "last_name": last.strip()[:200] or None,
                "locale": writer.locale,
                "fields": {},
                "source": SOURCE,
                "created_at": now,
                "updated_at": now,
            }
        )
        created[writer.identity_id] = contact_id
        live.note(writer.workspace_id, "contacts", contact_id=contact_id)
    bulk.insert_many(Contact, rows)
    return created


def _add_points(writers: Sequence[Writer], linked: dict[int, int], new: Collection[int]) -> None:
    given = [(writer, point) for writer in writers for point in writer.points]
    now, rows = clock.now(), list[dict[str, Any]]()
    for (writer, point), point_id in zip(given, bulk.reserve_ids(ContactPoint, len(given)), strict=True):
        # Never added to the session: it only encrypts the value for the row that is about to be inserted.
        encrypting = ContactPoint(id=point_id)
        encrypting.value = point.value
        rows.append(
            {
                "id": point_id,
                "workspace_id": writer.workspace_id,
                "contact_id": linked[writer.identity_id],
                "kind": point.kind,
                "value_encrypted": encrypting.value_encrypted,
                "value_hash": hash_of(point.kind, point.value),
                "is_primary": linked[writer.identity_id] in new,
                "validity": point.validity,
                "source": SOURCE,
                "created_at": now,
            }
        )
    # One that is there already stays as it is.
    bulk.insert_many(ContactPoint, rows, or_nothing=True)


def _link(linked: dict[int, int]) -> None:
    if linked:
        ids = sorted(linked)
        values: dict[str, Any] = {"identities": ids, "contacts": [linked[identity_id] for identity_id in ids]}
        db.session.execute(_LINK, values)


_points = (
    func.unnest(
        bindparam("workspaces", type_=ARRAY(BigInteger)),
        bindparam("kinds", type_=ARRAY(Text)),
        bindparam("hashes", type_=ARRAY(LargeBinary)),
    )
    .table_valued("workspace_id", "kind", "hash")
    .render_derived("wanted")
)
_OWNERS = select(ContactPoint.workspace_id, ContactPoint.kind, ContactPoint.value_hash, ContactPoint.contact_id).join(
    _points,
    (ContactPoint.workspace_id == _points.c.workspace_id)
    & (ContactPoint.kind == _points.c.kind)
    & (ContactPoint.value_hash == _points.c.hash),
)
_LINK = text(
    """
    UPDATE identities i SET contact_id = g.contact_id
      FROM unnest(:identities, :contacts) AS g(identity_id, contact_id)
     WHERE i.id = g.identity_id AND i.contact_id IS NULL
    """
).bindparams(
    bindparam("identities", type_=ARRAY(BigInteger)),
    bindparam("contacts", type_=ARRAY(BigInteger)),
)
