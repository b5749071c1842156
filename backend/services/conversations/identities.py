"""People at a provider, as one workspace knows them."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from backend.channels.inbound import Person
from backend.core import clock
from backend.core.database import db, next_id, workspace_scope
from backend.models import Identity
from backend.services.conversations.hashing import family_of, identity_hash

_NAME_LENGTH = 200


def identity_of(channel: str, person: Person, *, workspace_id: int, user_id: int | None = None) -> Identity:
    """The workspace's row for this person, made at the first meeting (one row also when two meet at once).

    Names follow the provider's. `user_id` says which person of the workspace it is; None leaves that as it was.
    """
    hashed = identity_hash(channel, person.id)
    with workspace_scope(workspace_id):
        identity = _by_hash(workspace_id, hashed) or _make(channel, person, hashed, workspace_id)
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
            db.session.flush()
        return identity


def _by_hash(workspace_id: int, hashed: bytes) -> Identity | None:
    return db.session.execute(
        select(Identity).where(Identity.workspace_id == workspace_id, Identity.external_hash == hashed)
    ).scalar_one_or_none()


def _make(channel: str, person: Person, hashed: bytes, workspace_id: int) -> Identity:
    now = clock.now()
    # Never added to the session: it only seals the id for the row that is about to be inserted.
    sealing = Identity(id=next_id("identities"))
    sealing.external_id = person.id
    values = {
        "id": sealing.id,
        "workspace_id": workspace_id,
        "channel": family_of(channel),
        "scope": "",
        "external_id_encrypted": sealing.external_id_encrypted,
        "external_hash": hashed,
        "created_at": now,
        "updated_at": now,
    }
    db.session.execute(
        insert(Identity).values(values).on_conflict_do_nothing(index_elements=["workspace_id", "external_hash"])
    )
    identity = _by_hash(workspace_id, hashed)
    if identity is None:
        raise RuntimeError("an identity vanished while it was made")
    return identity
