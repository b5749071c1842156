"""A workspace whose endpoints lie on this machine, and receivers that do as they are told."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from flask import Flask

from backend.core import config
from backend.core.database import db, workspace_scope
from backend.models import OutgoingWebhook, Workspace
from backend.services import outgoing_webhooks
from tests.channels.scripted_server import ScriptedServer, scripted_server
from tests.support import factories

Endpoint = Callable[..., OutgoingWebhook]
EVENT = "test.happened"


@pytest.fixture(autouse=True)
def _an_event_of_the_tests() -> Iterator[None]:
    outgoing_webhooks.declare(EVENT, "Something happened in a test")
    yield
    outgoing_webhooks.EVENTS.pop(EVENT)


@pytest.fixture
def private_allowed(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    """Loopback counts as public."""
    monkeypatch.setattr(config, "_current", config.get().model_copy(update={"egress_allow_private": True}))


@pytest.fixture
def home(app: Flask) -> Iterator[Workspace]:
    """The workspace of the test, in scope."""
    made = factories.workspace()
    with workspace_scope(made.id):
        yield made


@pytest.fixture
def receiver() -> Iterator[ScriptedServer]:
    with scripted_server() as server:
        yield server


@pytest.fixture
def endpoint(home: Workspace, private_allowed: None) -> Endpoint:
    """Adds endpoints; what is to be told them is stored."""

    def make(server: ScriptedServer | str, *events: str) -> OutgoingWebhook:
        url = server if isinstance(server, str) else f"{server.url}/hook?key=shh"
        made, _ = outgoing_webhooks.create(factories.by("user:1"), url, events or ("*",))
        db.session.commit()
        return made

    return make
