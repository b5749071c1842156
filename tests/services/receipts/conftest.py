"""A workspace with a sender whose messages are accepted by a provider in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask

from backend.core.database import db, system_scope
from backend.models import Conversation, Message, Sender, Workspace
from tests.support import factories
from tests.support.engine import idle, run_until, say
from tests.support.fake_channel import FakeChannel


@pytest.fixture(autouse=True)
def _everything(app: Flask) -> Iterator[None]:
    with system_scope("receipts are found in all workspaces"):
        yield


@pytest.fixture
def channel(app: Flask) -> FakeChannel:
    """Accepts everything; the ids are 1001, 1002, …"""
    return FakeChannel().install()


@pytest.fixture
def home(app: Flask) -> Workspace:
    return factories.workspace()


@pytest.fixture
def sender(home: Workspace) -> Sender:
    made = factories.bot(home)
    db.session.commit()
    return made


@pytest.fixture
def chat(home: Workspace, sender: Sender) -> Conversation:
    made = factories.conversation(home, sender, "5001")
    db.session.commit()
    return made


@pytest.fixture
def sent(app: Flask, channel: FakeChannel, chat: Conversation) -> Callable[..., Message]:
    """Sends a message and returns it once it is recorded."""

    def send(text: str = "hello", **options: Any) -> Message:
        message = say(chat, text, **options)
        run_until(app, idle)
        return message

    return send
