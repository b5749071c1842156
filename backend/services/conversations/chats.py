"""The conversation of a chat: found by its hash, made once, kept in step with what the provider calls it."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert

from backend.channels import registry
from backend.channels.inbound import Chat, Person
from backend.core import clock
from backend.core.database import db, next_id, system_scope, workspace_scope
from backend.models import Account, Conversation, Delivery, Identity, Sender
from backend.services.conversations import identities
from backend.services.conversations.hashing import chat_hash, chat_key, scope_of
from backend.services.conversations.identities import identity_of

_TITLE_LENGTH = 255


def find(sender: Sender, chat_id: str, *, workspace_id: int) -> Conversation | None:
    """The workspace's conversation with this chat; None where there is none yet."""
    with workspace_scope(workspace_id):
        return _by_hash(workspace_id, sender.id, chat_hash(sender.channel, sender.id, chat_id))


def by_chat(sender_id: int, hashed: bytes) -> list[Conversation]:
    """Every workspace's conversation with this chat of a sender."""
    with system_scope("one chat may be known to several workspaces"):
        return list(
            db.session.execute(
                select(Conversation)
                .where(Conversation.sender_id == sender_id, Conversation.chat_hash == hashed)
                .order_by(Conversation.id)
            ).scalars()
        )


def find_or_create(
    sender: Sender, chat: Chat, *, workspace_id: int, person: Person | None = None, user_id: int | None = None
) -> Conversation:
    """The workspace's conversation with this chat, made at the first call (once, also when two call at the same time).

    Title and kind follow the provider's. In a private chat `person` becomes its identity and `user_id` says which
    person of the workspace that is; in a group neither is the conversation's. A person has one conversation with a
    sender, whichever of their ids the chat is called by; answers go to the number once it is known.
    """
    with workspace_scope(workspace_id):
        identity = None
        if chat.is_private and person is not None:
            scope = scope_of(sender.channel, sender.id)
            identity = identity_of(sender.channel, person, workspace_id=workspace_id, user_id=user_id, scope=scope)
        hashed = chat_hash(sender.channel, sender.id, chat.id)
        conversation = _by_hash(workspace_id, sender.id, hashed)
        if conversation is None and identity is not None:
            conversation = _of_identity(sender, identity, chat)
        if conversation is None:
            conversation = _make(sender, chat, hashed, workspace_id)
        for name, value in changes_of(conversation, chat, person, identity).items():
            setattr(conversation, name, value)
        db.session.flush()
        return conversation


def of_chat(sender: Sender, chat: Chat) -> list[Conversation]:
    """Every workspace's conversation with this chat of a sender, in the system scope: by its id, and in private by any
    id of the person."""
    known = by_chat(sender.id, chat_hash(sender.channel, sender.id, chat.id))
    if known or not chat.is_private or sender.workspace_id is None:
        return known
    person = identities.find(
        sender.channel, chat.id, workspace_id=sender.workspace_id, scope=scope_of(sender.channel, sender.id)
    )
    conversation = None if person is None else with_identity(sender, person.id)
    return [] if conversation is None else [conversation]


def with_identity(sender: Sender, identity_id: int) -> Conversation | None:
    """The conversation of a sender with a person; None where there is none."""
    query = select(Conversation).where(Conversation.identity_id == identity_id, Conversation.sender_id == sender.id)
    conversation: Conversation | None = db.session.scalars(query.order_by(Conversation.id).limit(1)).first()
    return conversation


def move_address(conversation: Conversation, chat_id: str) -> None:
    """Has a private conversation be written to under another id of the same person, what waits included."""
    hashed = chat_hash(conversation.channel, conversation.sender_id, chat_id)
    if hashed == bytes(conversation.chat_hash):
        return
    conversation.chat_hash, conversation.chat_key = hashed, chat_key(hashed)
    conversation.chat_id = chat_id
    db.session.flush()
    db.session.execute(
        update(Delivery)
        .where(Delivery.conversation_id == conversation.id, Delivery.chat_key.is_not(None))
        .values(chat_key=conversation.chat_key)
        .execution_options(synchronize_session="fetch")
    )


def _of_identity(sender: Sender, identity: Identity, chat: Chat) -> Conversation | None:
    """The person's conversation with this sender under another of their ids. Its row is locked by the identity's, so
    that two processes that meet the person at once make one."""
    db.session.execute(select(Identity.id).where(Identity.id == identity.id).with_for_update(key_share=True))
    query = select(Conversation).where(Conversation.identity_id == identity.id, Conversation.sender_id == sender.id)
    conversation = db.session.scalars(
        query.order_by(Conversation.id).limit(1).execution_options(populate_existing=True)
    ).first()
    if conversation is not None and (chat.id.isdigit() or not conversation.chat_id.isdigit()):
        move_address(conversation, chat.id)
    return conversation


def changes_of(
    conversation: Conversation, chat: Chat, person: Person | None, identity: Identity | None
) -> dict[str, Any]:
    """What has to change so that a conversation is called as its provider calls it. `identity` is `person`'s row in a
    private chat."""
    title = chat.title or chat.name or (f"@{chat.username}" if chat.username else "") or conversation.title
    facts: dict[str, Any] = {"kind": chat.type}
    if chat.is_private and person is not None and identity is not None:
        title = person.name or title
        facts["identity_id"] = identity.id
    facts["title"] = title[:_TITLE_LENGTH] if title else None
    return {name: value for name, value in facts.items() if getattr(conversation, name) != value}


def _by_hash(workspace_id: int, sender_id: int, hashed: bytes) -> Conversation | None:
    return db.session.execute(
        select(Conversation).where(
            Conversation.workspace_id == workspace_id,
            Conversation.sender_id == sender_id,
            Conversation.chat_hash == hashed,
        )
    ).scalar_one_or_none()


def new_row(conversation_id: int, sender: Sender, chat: Chat, hashed: bytes, workspace_id: int) -> dict[str, Any]:
    """The row of a chat that is met for the first time; what it is called follows by `changes_of`."""
    # Never added to the session: it only encrypts the id for the row that is about to be inserted.
    encrypting = Conversation(id=conversation_id)
    encrypting.chat_id = chat.id
    return {
        "id": conversation_id,
        "workspace_id": workspace_id,
        "channel": sender.channel,
        "sender_id": sender.id,
        "chat_hash": hashed,
        "chat_key": chat_key(hashed),
        "chat_id_encrypted": encrypting.chat_id_encrypted,
        "kind": chat.type,
        "created_at": clock.now(),
    }


def _make(sender: Sender, chat: Chat, hashed: bytes, workspace_id: int) -> Conversation:
    values = new_row(next_id("conversations"), sender, chat, hashed, workspace_id) | _ownership(sender)
    db.session.execute(
        insert(Conversation)
        .values(values)
        .on_conflict_do_nothing(index_elements=["workspace_id", "sender_id", "chat_hash"])
    )
    conversation = _by_hash(workspace_id, sender.id, hashed)
    if conversation is None:
        raise RuntimeError("a conversation vanished while it was made")
    return conversation


def _ownership(sender: Sender) -> dict[str, Any]:
    """Whose a new conversation is: of a person's own account that person's, else the workspace's."""
    if not registry.spec(sender.channel).keeps_connection:
        return {}
    owner_id = db.session.scalar(select(Account.owner_user_id).where(Account.sender_id == sender.id).limit(1))
    return {"owner_user_id": owner_id, "visibility": "owner"}
