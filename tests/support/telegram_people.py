"""A default bot, people of two workspaces, and a Telegram to ask."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flask import Flask

from backend.models import Sender, User, Workspace
from backend.services import senders
from tests.support import factories
from tests.support.bot_api import BotApi, bot_api
from tests.support.talking import Bot, commit


@pytest.fixture
def api(app: Flask) -> Iterator[BotApi]:
    with bot_api() as running:
        yield running


@pytest.fixture
def home(app: Flask) -> Workspace:
    return factories.workspace()


@pytest.fixture
def sender(home: Workspace) -> Sender:
    made = senders.ensure_environment_sender("telegram_bot")
    assert made is not None
    made.username = "example_bot"
    commit()
    return made


@pytest.fixture
def bot(sender: Sender, api: BotApi) -> Bot:
    return Bot(sender)


@pytest.fixture
def ada(home: Workspace, sender: Sender) -> User:
    made = factories.user(home, email="ada@example.com", name="Ada")
    commit()
    return made


@pytest.fixture
def eve(sender: Sender) -> User:
    """Somebody of another workspace."""
    made = factories.user(factories.workspace(), email="eve@example.org", name="Eve")
    commit()
    return made
