"""A running installation with a simulated Telegram, and its own document, of which the tests make clients."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.databases import Databases
from tests.support.installation import Installation, wait_for

PASSWORD = "correct horse battery"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All of these use one installation."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.slow)
            item.add_marker(pytest.mark.together)


@pytest.fixture(scope="package")
def installation(
    databases: Databases, environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Installation]:
    """Web, workers and Telegram over an empty database, for all tests of this folder."""
    databases.clean()
    made = Installation(environment, tmp_path_factory.mktemp("installation"), forked=False)
    try:
        made.start_web()
        made.start_worker("dispatch", "jobs")
        made.register_webhook()
        yield made
    finally:
        made.stop()


@pytest.fixture
def document(installation: Installation, tmp_path: Path) -> Path:
    """The document as the installation gives it to anybody."""
    path = tmp_path / "openapi.json"
    path.write_bytes(installation.http.get(f"{installation.url}/api/openapi.json", timeout=60).content)
    return path


def begin(installation: Installation) -> dict[str, Any]:
    """Opens a workspace for somebody new, who then speaks through `installation.api`."""
    installation.token = ""
    return installation.register(f"ada-{uuid.uuid4().hex[:8]}@example.com")


def open_link(installation: Installation, linking_url: str) -> None:
    """Opens a link as a person does, and waits until the account is linked."""
    installation.box.open_link(installation.box.person("Sam"), linking_url)
    wait_for(lambda: installation.api("GET", "/api/telegram/status")["telegram_enabled"], 30, "the link")
