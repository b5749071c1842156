"""Sending to the chats of a target, in the workspace in scope: one message for each chat, stored before it is sent."""

from __future__ import annotations

from datetime import datetime, timedelta

from backend.channels.base import Content
from backend.channels.inbound import Chat, ChatType
from backend.core.database import workspace_id_in_scope
from backend.models import Conversation, Message, Sender
from backend.services import conversations, delivery
from backend.services.bots.resolution import Target
from backend.services.delivery import NOTIFICATION_LIFE, Priority


def send_to_chats(
    target: Target,
    content: Content,
    *,
    kind: str,
    key: str | None = None,
    lane: Priority = Priority.NOTIFICATION,
    at_most_once: bool = False,
    not_before: datetime | None = None,
    reason: str = "queued",
    expires_in: timedelta | None = NOTIFICATION_LIFE,
    reply_to: str | None = None,
    user_id: int | None = None,
) -> list[Message]:
    """Stores one message for each of the target's chats, in their order and in the caller's transaction.

    The same `key` in a workspace gives each chat its first message again, however the list of chats has changed since.
    A chat that may not be written to gets a canceled message that says so. For the rest see `delivery.send`.
    """
    messages = []
    for chat_id in target.chat_ids:
        conversation = conversation_of(target.sender, chat_id)
        messages.append(
            delivery.send(
                conversation,
                content,
                kind=kind,
                lane=lane,
                key=None if key is None else _key_of(key, conversation),
                at_most_once=at_most_once,
                not_before=not_before,
                reason=reason,
                expires_in=expires_in,
                reply_to=reply_to,
                user_id=user_id,
                thread_id=target.thread_id,
            )
        )
    return messages


def known(target: Target, *, key: str | None) -> list[Message] | None:
    """The messages stored under this key for all of the target's chats; None where one is missing."""
    if key is None:
        return None
    messages, workspace_id = [], workspace_id_in_scope()
    for chat_id in target.chat_ids:
        conversation = conversations.find(target.sender, chat_id, workspace_id=workspace_id)
        message = delivery.by_key(workspace_id, _key_of(key, conversation)) if conversation is not None else None
        if message is None:
            return None
        messages.append(message)
    return messages


def _key_of(key: str, conversation: Conversation) -> str:
    return f"{key}:{conversation.chat_key:x}"


def conversation_of(sender: Sender, chat_id: str) -> Conversation:
    """The workspace's conversation with a chat that is known by its id only. What is known of it stays as it is."""
    workspace_id = workspace_id_in_scope()
    known = conversations.find(sender, chat_id, workspace_id=workspace_id)
    if known is not None:
        return known
    return conversations.find_or_create(sender, Chat(chat_id, kind_of(sender, chat_id)), workspace_id=workspace_id)


def kind_of(sender: Sender, chat_id: str) -> ChatType:
    """What kind of chat it is: as the bot's row says for its only chat, else what the form of the id tells.

    Supergroups and channels share the form -100…; only a group's stricter pace is safe for both.
    """
    if sender.chat_type in ("private", "group", "supergroup", "channel") and sender.chat_ids == (chat_id,):
        return sender.chat_type  # type: ignore[return-value]  # one of the four, as was just seen
    if chat_id.startswith("@"):
        return "channel"
    if chat_id.startswith("-100") and len(chat_id) > 12:
        return "supergroup"
    return "group" if chat_id.startswith("-") else "private"
