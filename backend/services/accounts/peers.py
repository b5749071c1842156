"""How an account addresses people: an access hash that the provider gave to this account and no other."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from backend.core import clock
from backend.core.database import db, next_id
from backend.models import AccountPeer, Identity


def find(sender_id: int, identity_id: int) -> AccountPeer | None:
    """How this account addresses a person; None where it has never met them."""
    return db.session.execute(
        select(AccountPeer).where(AccountPeer.sender_id == sender_id, AccountPeer.identity_id == identity_id)
    ).scalar_one_or_none()


def by_person(sender_id: int, external_hash: bytes) -> AccountPeer | None:
    """The same, by the keyed hash of the person's id."""
    return db.session.execute(
        select(AccountPeer)
        .join(Identity, Identity.id == AccountPeer.identity_id)
        .where(AccountPeer.sender_id == sender_id, Identity.external_hash == external_hash)
    ).scalar_one_or_none()


def remember(sender_id: int, workspace_id: int, identity_id: int, access_hash: int, found_by: str) -> AccountPeer:
    """Keeps how an account addresses a person; what it was before is replaced. One row also when two meet at once."""
    peer = find(sender_id, identity_id)
    if peer is None:
        encrypting = AccountPeer(id=next_id("account_peers"))
        encrypting.access_hash = str(access_hash)
        db.session.execute(
            insert(AccountPeer)
            .values(
                id=encrypting.id,
                workspace_id=workspace_id,
                sender_id=sender_id,
                identity_id=identity_id,
                access_hash_encrypted=encrypting.access_hash_encrypted,
                found_by=found_by,
                requirement="unknown",
                created_at=clock.now(),
            )
            .on_conflict_do_nothing(index_elements=["sender_id", "identity_id"])
        )
        peer = find(sender_id, identity_id)
    if peer is None:
        raise RuntimeError("a peer vanished while it was made")
    if peer.access_hash != str(access_hash):
        peer.access_hash = str(access_hash)
        db.session.flush()
    return peer


def note_requirement(peer: AccountPeer, requirement: str, stars: int | None, at: datetime) -> None:
    """Keeps what it takes to write to the person first: none, premium or stars (how many)."""
    peer.requirement, peer.stars, peer.checked_at = requirement, stars, at
    db.session.flush()
