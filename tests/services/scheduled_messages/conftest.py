"""Fixtures: a workspace with a bot, a provider in memory, and the workspace's scope."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from flask import Flask

from backend.core import clock
from backend.core.database import db, system_scope, workspace_scope
from backend.models import Sender, Workspace
from tests.support import factories
from tests.support.fake_channel import FakeChannel

BEGINNING = datetime(2027, 1, 4, 8, 0, tzinfo=UTC)


@pytest.fixture
def channel(app: Flask) -> FakeChannel:
    return FakeChannel().install()


@pytest.fixture
def home(app: Flask, no_bot: None) -> Workspace:
    clock.move((BEGINNING - clock.now()).total_seconds())
    made = factories.workspace()
    with system_scope("a test"):
        db.session.commit()
    return made


@pytest.fixture
def bot(home: Workspace, channel: FakeChannel) -> Sender:
    made = factories.bot(home, name="news")
    with system_scope("a test"):
        db.session.commit()
    return made


@pytest.fixture
def scope(home: Workspace) -> Iterator[None]:
    with workspace_scope(home.id):
        yield
