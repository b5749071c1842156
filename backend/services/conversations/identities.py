"""People at a provider, as one workspace knows them: found by any of their ids, one row for each person.

An identity has an id of its own, the one by which it was met first, and any number of further ones (`identity_ids`).
Whoever is about to store an id that is not known locks its hash and looks again, so that two processes that meet the
same person by different ids at once make one row.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import aliased

from backend.channels.inbound import Person, PersonId
from backend.core import clock
from backend.core.database import db, next_id, system_scope, workspace_scope
from backend.models import Identity, IdentityId, Suppression
from backend.services.conversations import merges
from backend.services.conversations.hashing import family_of, identity_hash

_NAME_LENGTH = 200
_LOCK = text("SELECT pg_advisory_xact_lock(k) FROM unnest(CAST(:keys AS bigint[])) AS k")


@dataclass(frozen=True, slots=True)
class KnownId:
    """An id of a person with its keyed hash; `kind` is empty for the id that the provider names first."""

    kind: str
    id: str
    hash: bytes


def identity_of(
    channel: str, person: Person, *, workspace_id: int, user_id: int | None = None, scope: str = ""
) -> Identity:
    """The workspace's row for this person, found by any of their ids, made at the first meeting (one row also when two
    meet at once). Ids that are new are added; ids of two rows make them one (`merges`).

    Names follow the provider's. `user_id` says which person of the workspace it is; None leaves that as it was. `scope`
    is within what the person's ids hold (`hashing.scope_of`).
    """
    ids = ids_of(channel, person, scope)
    with workspace_scope(workspace_id):
        people = _identities_with(ids)
        if len(people) != 1 or (len(ids) > 1 and _missing(people[0], ids)):
            if len(ids) > 1 or not people:
                _lock([known.hash for known in ids])
                people = _identities_with(ids)
            identity = (
                _one_of(people, "same_body") if people else _make(channel, person, ids[0].hash, workspace_id, scope)
            )
            add_ids(identity, ids, scope)
        else:
            identity = people[0]
        if follow(identity, person, user_id):
            db.session.flush()
        return identity


def follow_change(
    channel: str, old: Sequence[PersonId], new: Sequence[PersonId], *, workspace_id: int, scope: str = ""
) -> Identity | None:
    """Adds further ids of a person who had others before, which stay; the person, None where no id is known here."""
    ids = [KnownId(each.kind, each.id, identity_hash(channel, each.id, scope)) for each in (*old, *new)]
    with workspace_scope(workspace_id):
        if not _identities_with(ids):
            return None
        _lock([known.hash for known in ids])
        people = _identities_with(ids)
        if not people:
            return None
        identity = _one_of(people, "identity_changed")
        add_ids(identity, ids, scope)
        return identity


def find(channel: str, external_id: str, *, workspace_id: int, scope: str = "") -> Identity | None:
    """The person who has this id; None where nobody is known to."""
    with workspace_scope(workspace_id):
        people = _identities_with([KnownId("", external_id, identity_hash(channel, external_id, scope))])
        return people[0] if people else None


def ids_of(channel: str, person: Person, scope: str) -> list[KnownId]:
    """All ids that a person comes with, the first one first, each once."""
    named = [("", person.id), *((other.kind, other.id) for other in person.other_ids)]
    first: dict[str, str] = {}
    for kind, external_id in named:
        if external_id:
            first[external_id] = first.get(external_id) or kind
    return [
        KnownId(kind, external_id, identity_hash(channel, external_id, scope)) for external_id, kind in first.items()
    ]


def hashes_of(identity_id: int) -> list[bytes]:
    """The hashes of all ids of a person, those of merged identities included, in the workspace in scope."""
    rows = select(Identity.id).where((Identity.id == identity_id) | (Identity.merged_into_id == identity_id))
    own = select(Identity.external_hash).where(Identity.id.in_(rows))
    further = select(IdentityId.external_hash).where(IdentityId.identity_id.in_(rows))
    return [bytes(value) for query in (own, further) for value in db.session.scalars(query)]


def add_ids(identity: Identity, ids: Collection[KnownId], scope: str = "") -> None:
    """Stores the ids of a person that are not known yet; whoever is suppressed is suppressed under the new ones."""
    missing = _missing(identity, ids)
    for known in sorted(missing, key=lambda known: known.hash):
        row = IdentityId(
            id=next_id("identity_ids"),
            workspace_id=identity.workspace_id,
            identity_id=identity.id,
            kind=known.kind or "id",
            scope=scope,
            external_hash=known.hash,
            created_at=clock.now(),
        )
        row.external_id = known.id
        db.session.add(row)
    if missing:
        db.session.flush()
        inherit_suppression(identity.id)


def inherit_suppression(identity_id: int) -> None:
    """Suppresses all ids of a person where one of them is, in the workspace in scope."""
    hashes = hashes_of(identity_id)
    query = select(Suppression).where(Suppression.external_hash.in_(hashes)).order_by(Suppression.id)
    suppressed = list(db.session.scalars(query))
    known = {bytes(row.external_hash) for row in suppressed}
    rows = [
        {
            "workspace_id": suppressed[0].workspace_id,
            "external_hash": value,
            "kind": suppressed[0].kind,
            "code": suppressed[0].code,
            "source": "inherited",
            "created_by": "system",
            "created_at": clock.now(),
        }
        for value in hashes
        if suppressed and value not in known
    ]
    if rows:
        db.session.execute(insert(Suppression).values(rows).on_conflict_do_nothing())


def follow(identity: Identity, person: Person, user_id: int | None) -> bool:
    """Gives a person's row the names that the provider has for them now; whether anything changed."""
    facts = {
        "display_name": person.name[:_NAME_LENGTH] or identity.display_name,
        "username": person.username if person.name else identity.username,
        "locale": person.language or identity.locale,
        "user_id": user_id if user_id is not None else identity.user_id,
    }
    changed = {name: value for name, value in facts.items() if getattr(identity, name) != value}
    for name, value in changed.items():
        setattr(identity, name, value)
    if changed:
        identity.updated_at = clock.now()
    return bool(changed)


def new_row(
    identity_id: int, channel: str, person: Person, hashed: bytes, workspace_id: int, scope: str = ""
) -> dict[str, Any]:
    """The row of a person who is met for the first time."""
    now = clock.now()
    # Never added to the session: it only encrypts the id for the row that is about to be inserted.
    encrypting = Identity(id=identity_id)
    encrypting.external_id = person.id
    return {
        "id": identity_id,
        "workspace_id": workspace_id,
        "channel": family_of(channel),
        "scope": scope,
        "external_id_encrypted": encrypting.external_id_encrypted,
        "external_hash": hashed,
        "display_name": person.name[:_NAME_LENGTH] or None,
        "username": person.username,
        "locale": person.language,
        "created_at": now,
        "updated_at": now,
    }


def _identities_with(ids: Collection[KnownId]) -> list[Identity]:
    """The people who have one of these ids, each once, the one met first first; a merged one is whom it went into."""
    hashes = [known.hash for known in ids]
    further = select(IdentityId.identity_id).where(IdentityId.external_hash.in_(hashes))
    met = aliased(Identity)
    named = select(func.coalesce(met.merged_into_id, met.id)).where(met.external_hash.in_(hashes) | met.id.in_(further))
    query = select(Identity).where(Identity.id.in_(named)).order_by(Identity.id)
    return list(db.session.scalars(query.execution_options(populate_existing=True)))


def _missing(identity: Identity, ids: Collection[KnownId]) -> list[KnownId]:
    known = set(hashes_of(identity.id))
    return [each for each in ids if each.hash not in known and each.hash != identity.external_hash]


def _one_of(people: Sequence[Identity], reason: str) -> Identity:
    identity = people[0]
    for other in people[1:]:
        merges.merge(identity, other, reason)
        if other.merged_into_id is not None:
            inherit_suppression(identity.id)
    return identity


def _lock(hashes: Collection[bytes]) -> None:
    """Keeps others from storing these ids until the transaction ends; in one order, so that nobody waits in a ring."""
    keys = sorted(int.from_bytes(value[:8], "big", signed=True) for value in hashes)
    with system_scope("a lock is no table's"):
        db.session.execute(_LOCK, {"keys": keys})


def _by_hash(workspace_id: int, hashed: bytes) -> Identity | None:
    return db.session.execute(
        select(Identity).where(Identity.workspace_id == workspace_id, Identity.external_hash == hashed)
    ).scalar_one_or_none()


def _make(channel: str, person: Person, hashed: bytes, workspace_id: int, scope: str) -> Identity:
    values = new_row(next_id("identities"), channel, person, hashed, workspace_id, scope)
    db.session.execute(
        insert(Identity).values(values).on_conflict_do_nothing(index_elements=["workspace_id", "external_hash"])
    )
    identity = _by_hash(workspace_id, hashed)
    if identity is None:
        raise RuntimeError("an identity vanished while it was made")
    return identity
