"""The product behind the front, on a port; people who may listen."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from flask import Flask

from backend.asgi.application import AsgiApplication
from backend.models import User
from backend.services.auth import limits
from backend.services.intake import batcher
from tests.http import callers
from tests.support.serving import Listener, serving


@pytest.fixture(autouse=True)
def _nothing_counted() -> None:
    limits.reset()


@dataclass
class Served:
    """The front and where it is reached."""

    front: AsgiApplication
    port: int

    def listen(self, person: User, query: str = "", **headers: str) -> Listener:
        """An open stream of a signed-in person; their `ready` (or what comes instead) is still to be read."""
        listener = Listener(self.port, f"/api/live{query}", **callers.signed_in(person), **headers)
        assert listener.answer.status == 200
        return listener


@pytest.fixture
def served(app: Flask) -> Iterator[Served]:
    front = AsgiApplication(app)
    with serving(front) as port:
        yield Served(front, port)


@pytest.fixture
def ada(app: Flask) -> User:
    """An admin of a workspace."""
    return callers.member()


@pytest.fixture
def commits_go_on(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Updates are stored only once this is set; what is there before waits."""
    go_on, real = threading.Event(), batcher.insert

    def insert(*arguments: Any) -> Any:
        assert go_on.wait(60)
        return real(*arguments)

    monkeypatch.setattr(batcher, "insert", insert)
    yield go_on
    go_on.set()
