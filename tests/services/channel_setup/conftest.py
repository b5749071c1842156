"""A workspace in scope, integrations of it, and a Graph API where everything is well."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flask import Flask

from backend.core.database import db, workspace_scope
from backend.models import Sender, Workspace
from tests.services.channel_setup import integrations
from tests.support import channel_stand_ins, factories
from tests.support.graph_api import Graph, graph_api


@pytest.fixture
def graph(app: Flask) -> Iterator[Graph]:
    with channel_stand_ins.added(), graph_api() as api:
        yield api


@pytest.fixture
def home(graph: Graph) -> Iterator[Workspace]:
    """The instance's first workspace, in scope."""
    made = factories.workspace()
    db.session.commit()
    with workspace_scope(made.id):
        yield made


@pytest.fixture
def number(home: Workspace) -> Sender:
    return integrations.whatsapp()


@pytest.fixture
def page(home: Workspace) -> Sender:
    return integrations.messenger()


@pytest.fixture
def profile(home: Workspace) -> Sender:
    """An Instagram account by Instagram's own login."""
    return integrations.instagram()
