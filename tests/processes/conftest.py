"""A running installation for each test; the processes are real, and so are the kills."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.databases import Databases
from tests.support.installation import Installation


@pytest.fixture
def installation(
    request: pytest.FixtureRequest, databases: Databases, environment: dict[str, str], tmp_path: Path
) -> Iterator[Installation]:
    """Over an empty database; nothing runs yet. A module whose tests are about the start itself has FORKED = False."""
    databases.clean()
    made = Installation(environment, tmp_path, forked=getattr(request.module, "FORKED", True))
    try:
        yield made
    finally:
        made.stop()
