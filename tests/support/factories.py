"""Rows for tests: each function makes one plausible object and flushes it. Names and addresses are fictional."""

from __future__ import annotations

from itertools import count
from typing import Any

from backend.core import clock
from backend.core.database import db, system_scope
from backend.models import Conversation, Sender, TelegramLink, User, Workspace
from backend.services.auth.attribution import Attribution
from backend.services.senders.credentials import token_hash

_numbers = count(1)


def reset() -> None:
    """Starts numbering anew, so that a test's names do not depend on the tests before it."""
    global _numbers
    _numbers = count(1)


def workspace(**values: Any) -> Workspace:
    """A workspace."""
    made = Workspace(**{"name": f"Workspace {next(_numbers)}", "created_at": clock.now()} | values)
    return _store(made)


def user(of: Workspace | None = None, **values: Any) -> User:
    """A person; an admin unless told otherwise."""
    number = next(_numbers)
    given = {
        "workspace_id": (of or workspace()).id,
        "email": f"person{number}@example.com",
        "name": f"Person {number}",
        "role": "admin",
        "created_at": clock.now(),
    }
    return _store(User(**given | values))


def bot(of: Workspace | None = None, **values: Any) -> Sender:
    """A Telegram bot with a visibly fake token."""
    number = next(_numbers)
    given = {
        "workspace_id": of.id if of else None,
        "channel": "telegram_bot",
        "source": "database",
        "name": f"bot {number}",
        "external_id": str(900000 + number),
        "username": f"example_{number}_bot",
        "created_at": clock.now(),
    }
    token = values.pop("token", f"{900000 + number}:FAKE-TOKEN-{number:024d}")
    secret = values.pop("secret", f"secret-{number}")
    made = Sender(**given | values)
    made.credentials = token
    made.credentials_hash = token_hash(token) if token else None
    made.webhook_secret = secret
    return _store(made)


def conversation(of: Workspace, sender: Sender, chat_id: str = "5001", **values: Any) -> Conversation:
    """A private chat with a sender."""
    from backend.services import conversations

    hashed = conversations.chat_hash(sender.channel, sender.id, chat_id)
    given = {
        "workspace_id": of.id,
        "channel": sender.channel,
        "sender_id": sender.id,
        "chat_hash": hashed,
        "chat_key": conversations.chat_key(hashed),
        "kind": "private",
        "created_at": clock.now(),
    }
    made = Conversation(**given | values)
    made.chat_id = chat_id
    return _store(made)


def link(person: User, sender: Sender, chat_id: str = "5001", **values: Any) -> TelegramLink:
    """A person's active link to a private chat with a bot."""
    with system_scope("factory"):
        home = db.session.get(Workspace, person.workspace_id)
    assert home is not None
    chat = conversation(home, sender, chat_id)
    given = {
        "workspace_id": person.workspace_id,
        "user_id": person.id,
        "sender_id": sender.id,
        "conversation_id": chat.id,
        "chat_hash": chat.chat_hash,
        "linked_at": clock.now(),
    }
    return _store(TelegramLink(**given | values))


def _store(made: Any) -> Any:
    with system_scope("factory"):
        db.session.add(made)
        db.session.flush()
    return made


def by(label: str = "user:1", user_id: int | None = None) -> Attribution:
    """Who does something in a test, by the audit's word for them."""
    return Attribution("test", label, user_id)
