"""A pooled connection is asked only where there is a reason to doubt it, and one whose server is gone is replaced."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, create_engine, text

from backend.core import pool_checks
from backend.core.config import Settings
from tests.support.statements import recorded


@pytest.fixture
def engine(settings: Settings) -> Iterator[Engine]:
    made = create_engine(settings.database_url, pool_size=1, max_overflow=0)
    pool_checks.install(made)
    yield made
    made.dispose()


def pid_of(engine: Engine) -> int:
    """The server process of the engine's one connection."""
    with engine.connect() as connection:
        return int(connection.execute(text("SELECT pg_backend_pid()")).scalar_one())


def test_a_connection_that_was_used_lately_is_taken_without_a_question(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = pid_of(engine)
    monkeypatch.setattr("psycopg.Connection.execute", _refuse)
    assert pid_of(engine) == first


def test_a_connection_that_has_rested_is_asked_and_kept(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    first = pid_of(engine)
    later = time.monotonic() + 3600
    monkeypatch.setattr("backend.core.pool_checks.time.monotonic", lambda: later)
    with recorded() as statements:
        assert pid_of(engine) == first
    assert len(statements) == 1  # the question is not one of SQLAlchemy's
    with engine.connect() as connection:
        assert not connection.connection.dbapi_connection.autocommit  # type: ignore[union-attr]


@pytest.mark.parametrize("rested", [False, True])
def test_a_connection_whose_server_has_ended_is_replaced(
    engine: Engine, settings: Settings, monkeypatch: pytest.MonkeyPatch, rested: bool
) -> None:
    first = pid_of(engine)
    other = create_engine(settings.database_url)
    with other.begin() as connection:
        # Waits until the process is gone.
        assert connection.execute(text("SELECT pg_terminate_backend(:pid, 10000)"), {"pid": first}).scalar_one()
    other.dispose()
    if rested:
        later = time.monotonic() + 3600
        monkeypatch.setattr("backend.core.pool_checks.time.monotonic", lambda: later)
    assert pid_of(engine) != first


def _refuse(*_arguments: object) -> None:
    raise AssertionError("the server was asked")
