"""A workspace with a sender of the example channel, which has a reply window and people with several ids."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask

from backend.channels import registry
from backend.channels.inbound import Chat, InboundEvent, MessageReceived, Person, PersonId
from backend.core import clock
from backend.core.database import db, system_scope
from backend.core.work import Turn
from backend.models import Sender, Workspace
from backend.services.intake import handlers
from backend.services.receipts import pending
from tests.support import factories

FOLDER = "tests.channels.example_channel"
START = datetime(2026, 11, 30, 9, 0, tzinfo=UTC)
NUMBER = PersonId("number", "4915112345678")
OTHER_NUMBER = PersonId("number", "4917099999999")
BSUID = PersonId("bsuid", "DE.8812")
PARENT = PersonId("parent_bsuid", "DE.1")


@pytest.fixture
def number(app: Flask) -> Iterator[Sender]:
    """A sender of the example channel, in the system scope as the intake is."""
    registry.add(FOLDER)
    try:
        with system_scope("the intake finds out whose an event is"):
            yield factories.bot(factories.workspace(), channel="example", username=None)
    finally:
        registry.remove(FOLDER)


@pytest.fixture
def home(number: Sender) -> Workspace:
    return db.session.get_one(Workspace, number.workspace_id)


@pytest.fixture
def take(number: Sender) -> Callable[..., None]:
    """Has the intake handle events of the sender, each in a transaction of its own."""

    def handle(*given: InboundEvent) -> None:
        for event in given:
            handlers.handlers_of(number.channel)[1](number, event, None)
            db.session.commit()

    return handle


@pytest.fixture
def settle(app: Flask) -> Callable[[], None]:
    """Has everything that waits for its message be tried again."""

    def run() -> None:
        for _ in range(3):
            clock.move(10)
            pending.retry(Turn(60))

    return run


def person(*ids: PersonId, name: str = "Ada Example", phone: str | None = None) -> Person:
    """A person with these ids; the first is the most lasting."""
    return Person(ids[0].id, name, other_ids=tuple(ids[1:]), phone=phone)


def message(who: Person, message_id: str, text: str = "hello", *, minutes: float = 0, **more: Any) -> MessageReceived:
    """What somebody wrote at a moment after the test's start."""
    at = START + timedelta(minutes=minutes)
    return MessageReceived(Chat(who.id, "private", name=who.name), who, message_id, text, date=at, **more)
