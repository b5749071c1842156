"""Accounts of persons for tests, as the rows that connecting one leaves behind."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from backend.core import clock
from backend.core.database import db
from backend.models import Account, AccountFirstConnection, Contact, ContactPoint, Sender, User, Workspace
from backend.services import conversations
from backend.services.contacts import identifiers
from backend.services.delivery import quota
from backend.services.senders.credentials import token_hash
from tests.support import factories

SESSION = "2|127.0.0.1|443|" + "0" * 512


def account(
    home: Workspace, owner: User | None = None, telegram_id: int = 777001, session: str = SESSION, **values: Any
) -> Account:
    """An account of a workspace that was first connected a month ago, so that it is past the ramp."""
    person = owner or factories.user(home)
    sender = Sender(
        workspace_id=home.id,
        channel="telegram_user",
        name=f"account {telegram_id} {session[-4:]}",
        created_at=clock.now(),
        username=None,
    )
    sender.credentials = session
    sender.credentials_hash = token_hash(session)
    sender.settings = {"api_id": "1", "api_hash": "0" * 32}
    db.session.add(sender)
    db.session.flush()
    key = quota.key_of("telegram", str(telegram_id))
    fields: dict[str, Any] = {
        "workspace_id": home.id,
        "sender_id": sender.id,
        "owner_user_id": person.id,
        "telegram_user_hash": conversations.identity_hash("telegram_user", str(telegram_id)),
        "quota_key": key,
        "name": "Ann",
        "device": "Switchboard on test",
        "state": "connected",
        "since": clock.now(),
        "created_at": clock.now(),
    }
    made = Account(**fields | values)
    made.telegram_user_id = str(telegram_id)
    made.phone = "+10000000001"
    db.session.add(made)
    if db.session.get(AccountFirstConnection, key) is None:
        month_ago = clock.now() - timedelta(days=30)
        db.session.add(AccountFirstConnection(quota_key=key, first_connected_at=month_ago))
    db.session.flush()
    return made


def point(home: Workspace, kind: str, value: str) -> ContactPoint:
    """A contact's point of this kind, with a contact of its own."""
    now = clock.now()
    contact = Contact(workspace_id=home.id, created_at=now, updated_at=now)
    db.session.add(contact)
    db.session.flush()
    made = ContactPoint(
        workspace_id=home.id,
        contact_id=contact.id,
        kind=kind,
        value_hash=identifiers.hash_of(kind, value),
        created_at=now,
    )
    made.value = value
    db.session.add(made)
    db.session.flush()
    return made
