"""Talking to a bot in a test: what people do as events, handled as the drain would; what the bot said as words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count
from typing import Any

from sqlalchemy import select

from backend.channels.inbound import (
    ButtonPressed,
    Chat,
    ChatMigrated,
    InboundEvent,
    MembershipChanged,
    MessageReceived,
    Person,
)
from backend.channels.telegram_bot.messages import command_of
from backend.core import clock
from backend.core.database import db, system_scope, workspace_scope
from backend.models import Delivery, Message, Sender, User
from backend.services import conversations, linking
from backend.services.intake import telegram
from tests.support import factories

_ids = count(1)


def private(person_id: int | str = 5001, name: str = "Sam") -> Chat:
    """A private chat."""
    return Chat(str(person_id), "private", name=name)


def group(chat_id: int | str = -2001, kind: Any = "group", title: str = "Team") -> Chat:
    """A group."""
    return Chat(str(chat_id), kind, title=title)


def somebody(person_id: int | str = 5001, name: str = "Sam", language: str | None = "en") -> Person:
    """A person at Telegram."""
    return Person(str(person_id), name, language=language)


@dataclass
class Bot:
    """A bot as people meet it. Each act commits, like an event's transaction."""

    sender: Sender
    events: list[InboundEvent] = field(default_factory=list)

    def hears(self, event: InboundEvent) -> None:
        """Handles an event."""
        self.events.append(event)
        with system_scope("the drain serves all workspaces"):
            facts = telegram.prepare(self.sender, event)
            telegram.handle(self.sender, event, facts)
            db.session.commit()

    def says(
        self, text: str, *, by: Person | None = None, chat: Chat | None = None, at: datetime | None = None, **marks: Any
    ) -> MessageReceived:
        """Somebody writes."""
        person = by or somebody()
        event = MessageReceived(
            chat=chat or private(person.id, person.name),
            sender=person,
            message_id=marks.pop("message_id", str(next(_ids))),
            text=text,
            command=command_of(text),
            date=at or clock.now(),
            **marks,
        )
        self.hears(event)
        return event

    def press(
        self, data: str, *, by: Person | None = None, chat: Chat | None = None, message_id: str | None = None
    ) -> None:
        """Somebody presses a button."""
        person = by or somebody()
        where = chat or private(person.id, person.name)
        self.hears(ButtonPressed(f"cb{next(_ids)}", data, person, where, message_id))

    def membership(self, status: str, *, chat: Chat | None = None, at: datetime | None = None) -> None:
        """The bot's standing in a chat changes."""
        self.hears(MembershipChanged(chat or private(), status, date=at or clock.now()))

    def migrates(self, old: int | str, new: int | str) -> None:
        """A group becomes a supergroup."""
        self.hears(ChatMigrated(str(old), str(new)))

    def messages(self, chat: Chat | None = None) -> Sequence[Message]:
        """What the bot was to say in a chat, whatever became of it."""
        hashed = conversations.chat_hash(self.sender.channel, self.sender.id, (chat or private()).id)
        ids = [one.id for one in conversations.by_chat(self.sender.id, hashed)]
        with system_scope("a test"):
            return (
                db.session.execute(
                    select(Message)
                    .where(Message.conversation_id.in_(ids), Message.direction == "out")
                    .order_by(Message.id)
                    .execution_options(populate_existing=True)
                )
                .scalars()
                .all()
            )

    def said(self, chat: Chat | None = None) -> list[str]:
        """The texts of `messages`."""
        return [text_of(message) for message in self.messages(chat)]

    def answers(self) -> list[str]:
        """What pressers were told, in order."""
        with system_scope("a test"):
            rows = db.session.execute(
                select(Delivery.payload).where(Delivery.operation == "answer_callback").order_by(Delivery.id)
            ).scalars()
            return [payload["text"] for payload in rows if payload is not None]


def text_of(message: Message) -> str:
    """A message's text."""
    return "".join(part["text"] for part in message.body["parts"])


def buttons_of(message: Message) -> list[str]:
    """The data of a message's buttons."""
    rows = message.body["parts"][-1].get("buttons", [])
    return [button["data"] for row in rows for button in row if "data" in button]


def deliver(message: Message, external_id: str) -> None:
    """Has the provider accept a message under this id, as the dispatch loop would record it."""
    from backend.channels.base import Receipt
    from backend.models import Conversation
    from backend.services.dispatch.claims import Claimed
    from backend.services.dispatch.outcomes import Outcome, record

    with system_scope("a test"):
        row = db.session.execute(
            select(Delivery).where(Delivery.message_id == message.id, Delivery.operation == "send")
        ).scalar_one()
        row.state, row.epoch = "sending", 1
        chat = db.session.get_one(Conversation, message.conversation_id)
        db.session.commit()
        claimed = Claimed(
            id=row.id,
            workspace_id=row.workspace_id,
            sender_id=row.sender_id,
            conversation_id=row.conversation_id,
            message_id=row.message_id,
            part=row.part,
            operation="send",
            chat_key=row.chat_key,
            lane=row.lane,
            attempts=1,
            epoch=1,
            at_most_once=False,
            payload=None,
            body=message.body,
            version=message.version,
            kind=message.kind,
            reply_to=None,
            chat_id_encrypted=chat.chat_id_encrypted,
            chat_kind=chat.kind,
            thread_id=None,
            external_id=None,
        )
        record([Outcome(claimed, receipt=Receipt((external_id,)))])


def token_for(person: User, sender: Sender) -> str:
    """A fresh link token of this person for this bot."""
    with workspace_scope(person.workspace_id):
        issued = linking.issue(factories.by(f"user:{person.id}"), person, sender)
        db.session.commit()
    return issued.token


def status_of(person: User, sender: Sender) -> linking.Status:
    """The person's link."""
    with workspace_scope(person.workspace_id):
        return linking.status_of(person, sender)


def commit() -> None:
    """Stores what the test has set up."""
    with system_scope("a test's set-up"):
        db.session.commit()
