"""What an event in a chat reads and writes: at once in the transaction (`DirectStore`), or collected for a batch
(`services.intake.batch_store`)."""

from __future__ import annotations

from typing import Protocol

from sqlalchemy import select

from backend.channels.inbound import Chat, MessageReceived, Person
from backend.core import bulk
from backend.core.database import db, system_scope, workspace_scope
from backend.models import Conversation, Message, Sender, TelegramLink, User
from backend.services import conversations, delivery, linking
from backend.services.delivery.bulk_insert import OutboxRows, OutgoingMessage
from backend.services.intake import received
from backend.services.intake.answer_limits import AnswerHistory


class ChatStore(Protocol):
    """The rows of an event's chat."""

    def link_of(self, sender: Sender, hashed: bytes) -> tuple[TelegramLink, User] | None:
        """The chat's link and its person."""
        ...

    def conversation(
        self, sender: Sender, chat: Chat, hashed: bytes, *, workspace_id: int, person: Person | None, user: User | None
    ) -> Conversation:
        """The workspace's conversation with the chat, made at the first call; `person` and `user` in private chats."""
        ...

    def record(
        self, conversation: Conversation, event: MessageReceived, user: User | None, *, is_talk: bool
    ) -> int | None:
        """Adds what somebody wrote to the history; returns the message's id, None where it was known already.

        What is said to people (`is_talk`) brings the conversation into the inbox."""
        ...

    def send(self, message: OutgoingMessage) -> int:
        """Stores an outbound message; returns its id."""
        ...

    def history(self, conversation: Conversation) -> AnswerHistory:
        """What the chat was answered lately; `keep_history` stores what is changed in it."""
        ...

    def keep_history(self, conversation: Conversation, history: AnswerHistory) -> None:
        """Stores the history."""
        ...

    def waiting(self, conversation: Conversation, history: AnswerHistory) -> set[int]:
        """Which messages of the history are not sent yet."""
        ...

    def note_unanswered(self, conversation: Conversation, message_id: int, code: str) -> None:
        """Stores with a received message why it got no answer."""
        ...


class DirectStore:
    """Each call is carried out at once, in the caller's transaction."""

    def link_of(self, sender: Sender, hashed: bytes) -> tuple[TelegramLink, User] | None:
        """See `ChatStore`."""
        link = linking.link_of_chat(sender.id, hashed)
        return None if link is None else (link, linking.owner_of(link))

    def conversation(
        self, sender: Sender, chat: Chat, hashed: bytes, *, workspace_id: int, person: Person | None, user: User | None
    ) -> Conversation:
        """See `ChatStore`."""
        user_id = user.id if user is not None else None
        return conversations.find_or_create(sender, chat, workspace_id=workspace_id, person=person, user_id=user_id)

    def record(
        self, conversation: Conversation, event: MessageReceived, user: User | None, *, is_talk: bool
    ) -> int | None:
        """See `ChatStore`. An edited message gets its new text."""
        identity_id = conversation.identity_id
        if event.chat.is_group and event.sender is not None:
            author = conversations.identity_of(
                conversation.channel, event.sender, workspace_id=conversation.workspace_id
            )
            identity_id = author.id
        user_id = user.id if user is not None else None
        is_known = conversations.message_at(conversation, event.message_id) is not None
        message = conversations.record_inbound(conversation, event, identity_id=identity_id, user_id=user_id)
        if not is_known and event.chat.is_private:
            received.follow(conversation, message, event, is_talk=is_talk)
        return message.id

    def send(self, message: OutgoingMessage) -> int:
        """See `ChatStore`."""
        conversation = message.conversation
        with workspace_scope(conversation.workspace_id):
            if message.code is not None:
                shown = Message(**OutboxRows().row_of(message))
                db.session.add(shown)
                db.session.flush()
                return shown.id
            return delivery.send(
                conversation,
                message.content,
                kind=message.kind,
                lane=message.lane,
                not_before=message.due_at,
                reason=message.reason,
                expires_in=message.expires_at - (message.due_at or message.created_at),
                user_id=message.user_id,
                reply_to=message.reply_to,
            ).id

    def history(self, conversation: Conversation) -> AnswerHistory:
        """See `ChatStore`."""
        return AnswerHistory.from_json(conversation.recent_answers)

    def keep_history(self, conversation: Conversation, history: AnswerHistory) -> None:
        """See `ChatStore`."""
        with workspace_scope(conversation.workspace_id):
            conversation.recent_answers = history.to_json()
            db.session.flush()

    def waiting(self, conversation: Conversation, history: AnswerHistory) -> set[int]:
        """See `ChatStore`."""
        return waiting_messages([answer.message_id for answer in history.answers])

    def note_unanswered(self, conversation: Conversation, message_id: int, code: str) -> None:
        """See `ChatStore`."""
        with system_scope("by the id of a message that was stored just before"):
            bulk.update_many(Message, [{"id": message_id, "error": code}])


def waiting_messages(ids: list[int]) -> set[int]:
    """Which of these messages are not sent yet."""
    if not ids:
        return set()
    with system_scope("a batch holds messages of several workspaces"):
        query = select(Message.id).where(Message.id.in_(ids), Message.state == "queued")
        return set(db.session.execute(query).scalars())
