"""Fixtures for the API of My Telegram: a default bot, people who call, and a Telegram to ask."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flask.testing import FlaskClient

from backend.models import Sender, User, Workspace
from backend.services import senders
from tests.http import callers
from tests.support import factories
from tests.support.bot_api import BotApi, bot_api
from tests.support.talking import Bot

Headers = dict[str, str]


@pytest.fixture
def api(client: FlaskClient) -> Iterator[BotApi]:
    with bot_api() as running:
        yield running


@pytest.fixture
def home(client: FlaskClient) -> Workspace:
    return factories.workspace()


@pytest.fixture
def sender(home: Workspace) -> Sender:
    made = senders.ensure_environment_sender("telegram_bot")
    assert made is not None
    callers.commit()
    return made


@pytest.fixture
def bot(sender: Sender, api: BotApi) -> Bot:
    return Bot(sender)


@pytest.fixture
def ada(home: Workspace, sender: Sender) -> User:
    """A viewer: linking one's own Telegram needs no more."""
    return callers.member(home, "viewer", email="ada@example.com", name="Ada")


@pytest.fixture
def me(ada: User) -> Headers:
    return callers.signed_in(ada)


@pytest.fixture
def eve(sender: Sender) -> User:
    return callers.member(factories.workspace(), email="eve@example.org")
