"""Fixtures: the system scope, a workspace, a job that remembers its fires, and a clock that starts at a set moment."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from flask import Flask

from backend.core import clock
from backend.core.database import db, system_scope
from backend.models import Workspace
from backend.services import scheduling
from backend.services.scheduling import Fire, registry
from tests.support import factories

JOB = "a test"
BEGINNING = datetime(2027, 1, 4, 8, 0, tzinfo=UTC)
"""A Monday."""


@pytest.fixture(autouse=True)
def everything(app: Flask) -> Iterator[None]:
    with system_scope("the scheduler is the instance's"):
        clock.move((BEGINNING - clock.now()).total_seconds())
        yield


@pytest.fixture
def home(app: Flask) -> Workspace:
    made = factories.workspace()
    db.session.commit()
    return made


@pytest.fixture
def fires(app: Flask) -> Iterator[list[Fire]]:
    """The fires of the job `a test`, as they were handed out."""
    seen: list[Fire] = []
    scheduling.register(JOB, seen.extend)
    yield seen
    registry.unregister(JOB)
