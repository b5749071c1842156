"""A workspace with the default bot, a linked person, and a provider in memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import delete, select

from backend.core import clock
from backend.core.database import db, workspace_scope
from backend.models import (
    Conversation,
    Delivery,
    Message,
    MessagePart,
    NotificationEvent,
    Sender,
    TelegramLink,
    User,
    Workspace,
)
from backend.services import notifications
from tests.support import factories
from tests.support.fake_channel import FakeChannel


@pytest.fixture
def channel(app: Flask) -> FakeChannel:
    return FakeChannel(part_chars=4096).install()


@pytest.fixture
def home(channel: FakeChannel) -> Iterator[Workspace]:
    """The workspace of the test, in scope."""
    made = factories.workspace()
    with workspace_scope(made.id):
        yield made


@pytest.fixture
def bot(home: Workspace) -> Sender:
    """The default bot."""
    return factories.bot(home, source="environment")


@pytest.fixture
def person(home: Workspace, bot: Sender) -> User:
    return factories.user(home, locale="en")


@pytest.fixture
def link(person: User, bot: Sender) -> TelegramLink:
    return factories.link(person, bot)


class Reporter:
    """Reports events about one person and looks at what came of them."""

    def __init__(self, person: User) -> None:
        self.person = person

    def __call__(self, type_name: str = "post_success", data: Any = None, **options: Any) -> NotificationEvent:
        given = {"content": "hello"} if data is None else data
        return notifications.report(factories.by("test"), type_name, self.person, given, **options)

    def outcome(self, *args: Any, **options: Any) -> tuple[str, str | None]:
        """Decision and reason of a new event."""
        event = self(*args, **options)
        return event.decision, event.reason

    def messages(self) -> list[Message]:
        """Every message there is, oldest first."""
        return list(db.session.scalars(select(Message).order_by(Message.id)))

    def deliveries(self) -> list[tuple[int | None, str, str]]:
        """What waits in the outbox: message, operation, reason."""
        rows = db.session.scalars(select(Delivery).order_by(Delivery.id))
        return [(row.message_id, row.operation, row.reason) for row in rows]

    @staticmethod
    def text(message: Message) -> str:
        """What a message says."""
        return "".join(part["text"] for part in message.body["parts"])

    @staticmethod
    def buttons(message: Message) -> list[str]:
        """The callback data and addresses of a message's buttons."""
        rows = message.body["parts"][-1].get("buttons", [])
        return [button.get("data") or button["url"] for row in rows for button in row]


@pytest.fixture
def report(person: User, link: TelegramLink) -> Reporter:
    return Reporter(person)


@pytest.fixture
def stranger(person: User) -> Reporter:
    """Reports about the person while they are not linked."""
    return Reporter(person)


def mark_sent(message: Message, external_id: str = "1001") -> None:
    """What the dispatch loop records when the provider accepts a message."""
    conversation = db.session.get_one(Conversation, message.conversation_id)
    db.session.execute(delete(Delivery).where(Delivery.message_id == message.id))
    message.state, message.external_id, message.sent_at = "sent", external_id, clock.now()
    db.session.add(
        MessagePart(
            message_id=message.id,
            part=0,
            sender_id=message.sender_id,
            chat_key=conversation.chat_key,
            external_id=external_id,
            sent_version=message.version,
            sent_at=clock.now(),
        )
    )
    db.session.flush()
