"""Merging two identities that a provider says are one person, and undoing it.

The loser keeps its row and its ids and points to the winner, so whoever finds it goes on to the winner. Where both have
a conversation with the same sender, the messages go into the winner's; the other stays empty, under a hash that no chat
has, until an undo gives everything back.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import select, update

from backend.core import clock
from backend.core.database import db
from backend.core.encrypted_columns import keyring
from backend.core.errors import Conflict, NotFound
from backend.core.logging import get_logger
from backend.models import Conversation, Delivery, Identity, IdentityMerge, Message, MessageWords
from backend.services import live
from backend.services.auth import audit
from backend.services.auth.attribution import SYSTEM, Attribution
from backend.services.conversations.hashing import chat_hash, chat_key

log = get_logger(__name__)


def merge(winner: Identity, loser: Identity, reason: str) -> IdentityMerge | None:
    """Makes two identities of the workspace in scope one. None where somebody has undone that before: two people whom a
    member holds apart stay apart."""
    for identity_id in sorted((winner.id, loser.id)):
        db.session.execute(select(Identity.id).where(Identity.id == identity_id).with_for_update(key_share=True))
    if loser.merged_into_id is not None or winner.id == loser.id:
        return None
    if _was_undone(winner.id, loser.id):
        log.info("identities_held_apart", winner_id=winner.id, loser_id=loser.id)
        return None
    moved: dict[str, Any] = {"conversations": [], "joined": [], "contact_id": None}
    for conversation in _conversations_of(loser.id):
        kept = _conversation_with(winner.id, conversation.sender_id)
        if kept is None:
            conversation.identity_id = winner.id
            moved["conversations"].append(conversation.id)
        else:
            moved["joined"].append(_join(conversation, kept))
    if winner.contact_id is None and loser.contact_id is not None:
        winner.contact_id = moved["contact_id"] = loser.contact_id
    winner.display_name = winner.display_name or loser.display_name
    winner.username = winner.username or loser.username
    winner.user_id = winner.user_id or loser.user_id
    loser.merged_into_id = winner.id
    # Those that were merged into the loser before go on to the same person.
    db.session.execute(
        update(Identity)
        .where(Identity.merged_into_id == loser.id)
        .values(merged_into_id=winner.id)
        .execution_options(synchronize_session="fetch")
    )
    row = IdentityMerge(
        workspace_id=winner.workspace_id,
        winner_id=winner.id,
        loser_id=loser.id,
        moved=moved,
        reason=reason,
        created_at=clock.now(),
    )
    db.session.add(row)
    db.session.flush()
    audit.record(SYSTEM, "identity.merged", f"identity:{winner.id}", merge_id=row.id, loser_id=loser.id, reason=reason)
    return row


def undo(by: Attribution, merge_id: int) -> IdentityMerge:
    """Takes a merge of the workspace in scope back: each gets the conversations and messages that were its own. What
    came since the merge stays with the winner. Raises NotFound, Conflict (already_undone)."""
    row = db.session.get(IdentityMerge, merge_id, with_for_update=True, populate_existing=True)
    if row is None:
        raise NotFound("merge_not_found", "There is no such merge.")
    if row.undone_at is not None:
        raise Conflict("already_undone", "This merge was undone before.")
    winner, loser = db.session.get_one(Identity, row.winner_id), db.session.get_one(Identity, row.loser_id)
    for conversation_id in row.moved["conversations"]:
        conversation = db.session.get(Conversation, conversation_id)
        if conversation is not None:
            conversation.identity_id = loser.id
    for joined in row.moved["joined"]:
        _take_apart(joined, winner, loser)
    if row.moved["contact_id"] is not None and winner.contact_id == row.moved["contact_id"]:
        winner.contact_id = None
    loser.merged_into_id = None
    row.undone_at, row.undone_by = clock.now(), by.label
    db.session.flush()
    audit.record(by, "identity.merge_undone", f"identity:{winner.id}", merge_id=row.id, loser_id=loser.id)
    return row


def _was_undone(winner_id: int, loser_id: int) -> bool:
    pair = [winner_id, loser_id]
    query = select(IdentityMerge.id).where(
        IdentityMerge.winner_id.in_(pair), IdentityMerge.loser_id.in_(pair), IdentityMerge.undone_at.is_not(None)
    )
    return db.session.scalar(query.limit(1)) is not None


def _conversations_of(identity_id: int) -> list[Conversation]:
    query = select(Conversation).where(Conversation.identity_id == identity_id).order_by(Conversation.id)
    return list(db.session.scalars(query.with_for_update(key_share=True)))


def _conversation_with(identity_id: int, sender_id: int) -> Conversation | None:
    query = select(Conversation).where(Conversation.identity_id == identity_id, Conversation.sender_id == sender_id)
    return db.session.scalars(query.order_by(Conversation.id).limit(1).with_for_update(key_share=True)).first()


_STATE = (
    "in_inbox",
    "status",
    "unread_count",
    "waiting_since",
    "first_inbound_at",
    "last_activity_at",
    "last_message_id",
    "last_inbound_message_id",
)


def _join(duplicate: Conversation, kept: Conversation) -> dict[str, Any]:
    """Moves what a conversation holds into another one; returns what an undo needs."""
    ids = list(db.session.scalars(select(Message.id).where(Message.conversation_id == duplicate.id)))
    before = {name: _plain(getattr(duplicate, name)) for name in _STATE}
    _move(duplicate.id, kept.id, ids)
    _make_later(kept, duplicate)
    duplicate.chat_hash = keyring().lookup("chat", f"joined:{duplicate.id}")
    duplicate.chat_key = chat_key(duplicate.chat_hash)
    duplicate.in_inbox, duplicate.status, duplicate.unread_count = False, None, 0
    duplicate.waiting_since = duplicate.snoozed_until = duplicate.remind_at = None
    db.session.flush()
    live.note(kept.workspace_id, "conversations", conversation_id=kept.id)
    return {"conversation_id": duplicate.id, "into": kept.id, "message_ids": ids, "state": before}


def _make_later(kept: Conversation, other: Conversation) -> None:
    """Gives a conversation what another one knows that is newer, or that it lacks."""
    kept.unread_count += other.unread_count
    if other.in_inbox and not kept.in_inbox:
        kept.in_inbox, kept.status = True, other.status
    elif other.status == "open" and kept.status in ("closed", "waiting", "snoozed"):
        kept.status, kept.status_before, kept.snoozed_until, kept.snoozed_until_reply = "open", None, None, False
    for name in ("waiting_since", "first_inbound_at"):
        values = [value for value in (getattr(kept, name), getattr(other, name)) if value is not None]
        setattr(kept, name, min(values, default=None))
    if other.last_activity_at is not None and (
        kept.last_activity_at is None or other.last_activity_at > kept.last_activity_at
    ):
        kept.last_activity_at, kept.last_message_id = other.last_activity_at, other.last_message_id
    for name in ("last_inbound_at", "last_message_at", "last_inbound_message_id"):
        values = [value for value in (getattr(kept, name), getattr(other, name)) if value is not None]
        setattr(kept, name, max(values, default=None))
    if other.reply_until is not None and (kept.reply_until is None or other.reply_until > kept.reply_until):
        kept.reply_until, kept.reply_reason, kept.remind_at = other.reply_until, other.reply_reason, other.remind_at


def _take_apart(joined: dict[str, Any], winner: Identity, loser: Identity) -> None:
    conversation = db.session.get(Conversation, joined["conversation_id"])
    kept = db.session.get(Conversation, joined["into"])
    if conversation is None or kept is None:
        return
    _move(kept.id, conversation.id, joined["message_ids"])
    conversation.identity_id = loser.id
    hashed = chat_hash(conversation.channel, conversation.sender_id, conversation.chat_id)
    if bytes(kept.chat_hash) == hashed:
        # What was one person was written to under the other's id.
        kept.chat_id = winner.external_id
        kept.chat_hash = chat_hash(kept.channel, kept.sender_id, kept.chat_id)
        kept.chat_key = chat_key(kept.chat_hash)
        db.session.flush()
    conversation.chat_hash, conversation.chat_key = hashed, chat_key(hashed)
    for name, value in joined["state"].items():
        setattr(conversation, name, _moment(value) if name.endswith(("_at", "_since")) else value)
    db.session.flush()
    live.note(kept.workspace_id, "conversations", conversation_id=kept.id)


def _move(source_id: int, target_id: int, message_ids: list[int]) -> None:
    for changed in (
        update(Message).where(Message.conversation_id == source_id, Message.id.in_(message_ids)),
        update(MessageWords).where(MessageWords.conversation_id == source_id, MessageWords.message_id.in_(message_ids)),
        update(Delivery).where(Delivery.conversation_id == source_id, Delivery.message_id.in_(message_ids)),
    ):
        query = changed.values(conversation_id=target_id)
        db.session.execute(query.execution_options(synchronize_session=False))
    # The session may hold some of them.
    db.session.expire_all()


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value


def _moment(value: str | None) -> datetime | None:
    return None if value is None else datetime.fromisoformat(value)
