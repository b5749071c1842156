"""Fixtures: the system scope, a Redis that is away, and another process that holds a part's lock."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import pytest
from flask import Flask

from backend.core import config, queue
from backend.core.database import db, system_scope
from backend.core.locking import advisory_lock
from tests.support.installation import free_port


@pytest.fixture(autouse=True)
def everything(app: Flask) -> Iterator[None]:
    with system_scope("housekeeping is the instance's"):
        yield


@pytest.fixture
def redis_away(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing listens where Redis should be."""
    away = config.get().model_copy(update={"redis_url": f"redis://127.0.0.1:{free_port()}/0"})
    monkeypatch.setattr(config, "_current", away)
    monkeypatch.setattr(queue, "_away_until", 0.0)


@pytest.fixture
def held(app: Flask) -> Callable[[str], AbstractContextManager[object]]:
    """`held(name)`: another process is at that part until the block ends."""
    return lambda name: advisory_lock(db.engine, name)
