"""People at a provider, as one workspace knows them."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from backend.channels.inbound import Person
from backend.core import clock
from backend.core.database import db, next_id, workspace_scope
from backend.models import Identity
from backend.services.conversations.hashing import family_of, identity_hash

_NAME_LENGTH = 200


def identity_of(
    channel: str, person: Person, *, workspace_id: int, user_id: int | None = None, scope: str = ""
) -> Identity:
    """The workspace's row for this person, made at the first meeting (one row also when two meet at once).

    Names follow the provider's. `user_id` says which person of the workspace it is; None leaves that as it was. `scope`
    is within what the person's id holds (`hashing.scope_of`).
    """
    hashed = identity_hash(channel, person.id, scope)
    with workspace_scope(workspace_id):
        identity = _by_hash(workspace_id, hashed) or _make(channel, person, hashed, workspace_id, scope)
        if follow(identity, person, user_id):
            db.session.flush()
        return identity


def follow(identity: Identity, person: Person, user_id: int | None) -> bool:
    """Gives a person's row the names that the provider has for them now; whether anything changed."""
    facts = {
        "display_name": person.name[:_NAME_LENGTH] or None,
        "username": person.username,
        "locale": person.language or identity.locale,
        "user_id": user_id if user_id is not None else identity.user_id,
    }
    changed = {name: value for name, value in facts.items() if getattr(identity, name) != value}
    for name, value in changed.items():
        setattr(identity, name, value)
    if changed:
        identity.updated_at = clock.now()
    return bool(changed)


def _by_hash(workspace_id: int, hashed: bytes) -> Identity | None:
    return db.session.execute(
        select(Identity).where(Identity.workspace_id == workspace_id, Identity.external_hash == hashed)
    ).scalar_one_or_none()


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


def _make(channel: str, person: Person, hashed: bytes, workspace_id: int, scope: str) -> Identity:
    values = new_row(next_id("identities"), channel, person, hashed, workspace_id, scope)
    db.session.execute(
        insert(Identity).values(values).on_conflict_do_nothing(index_elements=["workspace_id", "external_hash"])
    )
    identity = _by_hash(workspace_id, hashed)
    if identity is None:
        raise RuntimeError("an identity vanished while it was made")
    return identity
