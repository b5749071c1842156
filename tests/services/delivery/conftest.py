"""The engine is looked at from the side: over all workspaces, with a provider in memory."""

from __future__ import annotations

import pytest

from backend.core.database import by_index, db, system_scope
from tests.support import factories
from tests.support.fake_channel import FakeChannel


@pytest.fixture
def everything(app):
    """The scope of the engine, which serves all workspaces."""
    with system_scope("test of the engine"):
        yield


@pytest.fixture
def channel(app):
    return FakeChannel().install()


@pytest.fixture
def home(app):
    return factories.workspace()


@pytest.fixture
def bot(home):
    return factories.bot(home)


@pytest.fixture
def claims(app):
    """The engine that claims use."""
    engine = by_index(db.engine)
    yield engine
    engine.dispose()
