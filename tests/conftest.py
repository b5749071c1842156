"""Fixtures: a real PostgreSQL and a real Valkey; a database a test worker, made from a template.

`bin/test` starts both servers and names them in `TEST_DATABASE_URL` and `TEST_REDIS_URL`; without these the
session starts its own. The network is replaced at the channel boundary or by the simulator.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from flask import Flask
from flask.testing import FlaskClient

from backend.channels import registry
from backend.core import clock, config
from backend.core.database import db
from backend.services.senders import provider, webhook_verifier
from tests.support import factories, failures
from tests.support.databases import Databases
from tests.support.dealing import deal

_OF_BIN = Path(__file__).parent / "bin"
TEST_KEY = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
BOT_TOKEN = "100001:TEST-TOKEN-visibly-fake-for-the-tests-00"


@pytest.fixture(scope="session")
def databases(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Iterator[Databases]:
    """The servers of the run and this worker's own database on them."""
    with Databases.for_worker(worker_id, tmp_path_factory.getbasetemp()) as own:
        yield own


@pytest.fixture(scope="session")
def worker_id(request: pytest.FixtureRequest) -> str:
    """`gw0`, `gw1` … under pytest-xdist, else `master`."""
    return getattr(request.config, "workerinput", {}).get("workerid", "master")


@pytest.fixture(scope="session")
def environment(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of an installation under test, also for processes that a test starts."""
    return {
        "DATABASE_URL": databases.url,
        "REDIS_URL": databases.redis_url,
        "SECRET_KEY": "a-secret-key-for-the-tests-only-0123456789",
        "JWT_SECRET_KEY": "a-jwt-secret-key-for-the-tests-only-0123456789",
        "ENCRYPTION_KEYS": TEST_KEY,
        "SITE_URL": "http://127.0.0.1:8000",
        "REGISTRATION": "open",
        "MEDIA_URL": str(tmp_path_factory.mktemp("media")),
        "TELEGRAM_BOT_TOKEN": BOT_TOKEN,
        "TELEGRAM_WEBHOOK_SECRET": "test-webhook-secret",
        "TELEGRAM_API_URL": "http://127.0.0.1:9",
        "LOG_LEVEL": "WARNING",
    }


@pytest.fixture(scope="session")
def settings(environment: dict[str, str]) -> config.Settings:
    """The settings of the test installation."""
    return config.load(environment)


@pytest.fixture(scope="session")
def _application(settings: config.Settings) -> Flask:
    from backend.app import create_app

    made = create_app(settings)
    made.testing = True
    return made


@pytest.fixture
def app(_application: Flask, databases: Databases) -> Iterator[Flask]:
    """The application in an app context, over an empty database and an empty Valkey, the clock unmoved."""
    databases.clean()
    clock.reset()
    registry.clear()
    webhook_verifier.forget()
    provider.forget()
    factories.reset()
    with _application.app_context():
        yield _application
        db.session.rollback()
        db.session.remove()
    clock.reset()


@pytest.fixture
def no_bot(settings: config.Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """An instance whose environment names no bot."""
    monkeypatch.setattr(config, "_current", settings.model_copy(update={"telegram_bot_token": ""}))


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """A client without any credentials."""
    return app.test_client()


@pytest.fixture
def valkey(databases: Databases) -> Iterator[redis.Redis]:
    """This worker's Valkey database."""
    connection = redis.Redis.from_url(databases.redis_url)
    yield connection
    connection.close()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: Any, items: list[pytest.Item]) -> None:
    """Deals the slow tests out to the test processes, which begin with them.

    Those of `bin/` come after the others: the checks that `bin/test` runs beside have kept their results by then, and
    what checks a copy of the tree finds them.
    """
    items.sort(key=lambda item: _OF_BIN in item.path.parents)
    processes = getattr(config, "workerinput", {}).get("workercount", 1)
    items[:] = deal(items, _pack_of, processes)


def _pack_of(item: pytest.Item) -> str | None:
    if item.get_closest_marker("slow") is None:
        return None
    return str(item.path.parent) if item.get_closest_marker("together") else item.nodeid


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Keeps what failed for the end of `bin/test`."""
    failures.write(terminalreporter.stats)


def pytest_collection_finish() -> None:
    """What was imported and collected stays: the collector need not visit it after every so many tests."""
    gc.collect()
    gc.freeze()


def pytest_configure(config: Any) -> None:
    """Keeps the developer's own environment out of the tests."""
    for name in list(os.environ):
        if name.startswith(("TELEGRAM_", "META_", "FAILPOINTS_", "OPENAI_", "AI_")) or name in (
            "DATABASE_URL",
            "REDIS_URL",
            "TEST_CLOCK_FILE",
        ):
            del os.environ[name]
