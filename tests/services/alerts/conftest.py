"""A workspace whose bot for alerts has a group, a linked operator, and a provider in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import delete, select

from backend.core import clock
from backend.core.database import db, system_scope, workspace_scope
from backend.core.work import Turn
from backend.models import (
    Alert,
    AlertEvent,
    AlertItem,
    Conversation,
    Delivery,
    Message,
    MessagePart,
    Sender,
    User,
    Workspace,
)
from backend.services import alerts, conversations
from backend.services.alerts import AlertInput, Attribution, Outcome
from tests.support import factories
from tests.support.fake_channel import FakeChannel

GROUP = "-2001"
BY = Attribution("api", "user:1")


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
def default_bot(home: Workspace) -> Sender:
    """The instance's default bot, which reaches people."""
    return factories.bot(home, source="environment", name="default")


@pytest.fixture
def bot(home: Workspace, default_bot: Sender) -> Sender:
    """The bot named `alerts`, with a group."""
    made = factories.bot(home, name="alerts")
    made.chat_ids = (GROUP,)
    db.session.flush()
    return made


@pytest.fixture
def ada(home: Workspace, default_bot: Sender) -> User:
    """An operator, linked with the default bot."""
    return linked(home, default_bot, "5001", name="Ada", role="operator")


@dataclass
class Room:
    """Raises alerts in the test's workspace and looks at what came of them."""

    home: Workspace
    sender: Sender

    def raise_(self, title: str = "Disk full", message: str = "", **fields: Any) -> Outcome:
        """Raises an alert and commits, as a request would."""
        template, values = fields.pop("template", None), fields.pop("vars", {})
        title, message = alerts.compose(title, message, template, {**fields.get("labels", {}), **values})
        made = alerts.raise_input(AlertInput(title=title, message=message, **fields), BY)
        db.session.commit()
        return made

    def alerts(self) -> list[Alert]:
        """Every alert there is, oldest first."""
        query = select(Alert).order_by(Alert.id).execution_options(populate_existing=True)
        return list(db.session.scalars(query))

    def alert(self) -> Alert:
        """The only alert there is."""
        (only,) = self.alerts()
        return only

    def items(self) -> list[AlertItem]:
        """All items, oldest first."""
        query = select(AlertItem).order_by(AlertItem.id).execution_options(populate_existing=True)
        return list(db.session.scalars(query))

    def messages(self) -> list[Message]:
        """Every message there is, oldest first."""
        query = select(Message).order_by(Message.id).execution_options(populate_existing=True)
        return list(db.session.scalars(query))

    def texts(self) -> list[str]:
        """What the messages say."""
        return [text_of(message) for message in self.messages()]

    def trace(self, alert_id: int | None = None) -> list[str]:
        """What happened, oldest first."""
        query = select(AlertEvent.what).order_by(AlertEvent.id)
        return list(db.session.scalars(query if alert_id is None else query.where(AlertEvent.alert_id == alert_id)))

    def waiting(self) -> list[tuple[int | None, str]]:
        """What waits in the outbox: message and operation."""
        rows = db.session.scalars(select(Delivery).order_by(Delivery.id))
        return [(row.message_id, row.operation) for row in rows]

    def pass_time(self, seconds: float) -> int:
        """Moves the clock and runs the timers."""
        clock.move(seconds)
        return run_timers()


@pytest.fixture
def room(home: Workspace, bot: Sender) -> Room:
    return Room(home, bot)


@pytest.fixture
def sent() -> Callable[..., None]:
    """Has the provider accept every part of a message."""
    return mark_sent


def mark_sent(message: Message) -> None:
    """What the dispatch loop records when the provider accepts a message."""
    conversation = db.session.get_one(Conversation, message.conversation_id)
    db.session.execute(delete(Delivery).where(Delivery.message_id == message.id))
    message.state, message.external_id, message.sent_at = "sent", f"{message.id}000", clock.now()
    for part in range(len(message.body["parts"])):
        db.session.merge(
            MessagePart(
                workspace_id=message.workspace_id,
                message_id=message.id,
                part=part,
                sender_id=message.sender_id,
                chat_key=conversation.chat_key,
                external_id=f"{message.id}00{part}",
                sent_version=message.version,
                sent_at=clock.now(),
            )
        )
    db.session.commit()


def run_timers() -> int:
    """Everything that is due, as the job does it: once each."""
    db.session.commit()
    done = sum(work.take_turn(Turn(60.0)) for work in alerts.WORKS if work.is_due())
    db.session.rollback()
    return done


def is_work_due() -> bool:
    """Whether anything is to be done for alerts now."""
    return any(work.is_due() for work in alerts.WORKS)


def linked(home: Workspace, sender: Sender, chat_id: str, **values: Any) -> User:
    """A person whose private chat with the bot is linked, and who is known by it."""
    person = factories.user(home, **values)
    link = factories.link(person, sender, chat_id)
    from backend.channels.inbound import Person

    identity = conversations.identity_of(
        "telegram_bot", Person(chat_id, person.name), workspace_id=home.id, user_id=person.id
    )
    with system_scope("a test's set-up"):
        db.session.get_one(Conversation, link.conversation_id).identity_id = identity.id
        db.session.commit()
    return person


def text_of(message: Message) -> str:
    """A message's text."""
    return "".join(part["text"] for part in message.body["parts"])


def buttons_of(message: Message) -> list[str]:
    """The callback data and addresses of a message's buttons."""
    rows: Sequence[Any] = message.body["parts"][-1].get("buttons", [])
    return [button.get("data") or button["url"] for row in rows for button in row]
