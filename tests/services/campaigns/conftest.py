"""A workspace with an account that speaks through a provider in memory."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flask import Flask

from tests.support import campaigns
from tests.support.campaigns import Rig


@pytest.fixture
def rig(app: Flask) -> Iterator[Rig]:
    """See `tests.support.campaigns.Rig`."""
    with campaigns.rig(app) as made:
        yield made
