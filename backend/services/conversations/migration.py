"""A group that became a supergroup has another id: everything that knew the chat by the old one follows."""

from __future__ import annotations

from sqlalchemy import delete, select, update
from sqlalchemy.orm import aliased

from backend.core import events
from backend.core.database import db, system_scope
from backend.models import Conversation, Delivery, LinkConfirmation, LinkToken, Message, Sender, TelegramLink
from backend.services.conversations.chats import by_chat
from backend.services.conversations.events import ChatRekeyed
from backend.services.conversations.hashing import chat_hash, chat_key


def rekey(sender_id: int, old_chat_id: str, new_chat_id: str) -> int:
    """Moves conversations, links and waiting deliveries from the old chat to the new one; returns how many
    conversations moved. Reported from both sides and by a failed send, so it may be called several times.

    Only a group moves: whatever else is said to, a private chat above all, stays where it is.

    Where the new chat already has a conversation in the same workspace, its messages join the older one's. What else
    knows chats by their ids follows the event `chat_rekeyed(sender_id, old_chat_id, new_chat_id)`.
    """
    with system_scope("a chat moves in every workspace that knows it"):
        sender = db.session.get(Sender, sender_id)
        if sender is None or old_chat_id == new_chat_id or not _may_move(old_chat_id, new_chat_id):
            return 0
        old, new = (chat_hash(sender.channel, sender_id, chat_id) for chat_id in (old_chat_id, new_chat_id))
        newer = {conversation.workspace_id: conversation for conversation in by_chat(sender_id, new)}
        moved = by_chat(sender_id, old)
        if any(conversation.kind in ("private", "channel") for conversation in moved):
            return 0
        for conversation in moved:
            duplicate = newer.get(conversation.workspace_id)
            if duplicate is not None:
                _join(duplicate, conversation)
            conversation.chat_hash, conversation.chat_key = new, chat_key(new)
            conversation.chat_id = new_chat_id
            conversation.kind = "supergroup"
            db.session.flush()
            db.session.execute(
                update(Delivery)
                .where(Delivery.conversation_id == conversation.id, Delivery.chat_key.is_not(None))
                .values(chat_key=chat_key(new))
                .execution_options(synchronize_session="fetch")
            )
        _move_links(sender_id, old, new)
        events.publish(ChatRekeyed(sender_id, old_chat_id, new_chat_id))
        return len(moved)


def _may_move(old_chat_id: str, new_chat_id: str) -> bool:
    """Whether these can be a group and its supergroup; ids of people are positive, and public names are no ids."""
    return old_chat_id.startswith("-") and new_chat_id.startswith("-")


def _join(duplicate: Conversation, kept: Conversation) -> None:
    for model in (Message, Delivery, TelegramLink, LinkConfirmation):
        db.session.execute(
            update(model)
            .where(model.conversation_id == duplicate.id, model.workspace_id == kept.workspace_id)
            .values(conversation_id=kept.id)
            .execution_options(synchronize_session="fetch")
        )
    kept.title = duplicate.title or kept.title
    kept.blocked_code, kept.blocked_at = duplicate.blocked_code, duplicate.blocked_at
    db.session.delete(duplicate)
    db.session.flush()


def _move_links(sender_id: int, old: bytes, new: bytes) -> None:
    taken_ids = db.session.execute(
        select(TelegramLink.id).where(TelegramLink.sender_id == sender_id, TelegramLink.chat_hash == new)
    ).scalar()
    if taken_ids is not None:
        # Somebody linked the supergroup meanwhile: one chat has one link, and the later decision counts.
        db.session.execute(
            delete(TelegramLink)
            .where(TelegramLink.sender_id == sender_id, TelegramLink.chat_hash == old)
            .execution_options(synchronize_session="fetch")
        )
    for model, column in (
        (TelegramLink, TelegramLink.chat_hash),
        (LinkToken, LinkToken.used_chat_hash),
    ):
        db.session.execute(
            update(model)
            .where(model.sender_id == sender_id, column == old)
            .values({column: new})
            .execution_options(synchronize_session="fetch")
        )
    other = aliased(LinkConfirmation)
    db.session.execute(
        update(LinkConfirmation)
        .where(LinkConfirmation.chat_hash == old)
        .where(~select(other.id).where(other.token_id == LinkConfirmation.token_id, other.chat_hash == new).exists())
        .values(chat_hash=new)
        .execution_options(synchronize_session="fetch")
    )
