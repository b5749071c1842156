"""A workspace with a person's account, as it stands after it was connected."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask

from backend.core.database import db, system_scope
from backend.models import Account, Workspace
from tests.support import accounts, factories
from tests.support.hearing import hearing


@pytest.fixture
def home(app: Flask) -> Iterator[Workspace]:
    with system_scope("accounts of a test"):
        yield factories.workspace()


@pytest.fixture
def account(home: Workspace) -> Account:
    made = accounts.account(home)
    db.session.commit()
    return made


@pytest.fixture
def heard() -> Iterator[Callable[..., list[Any]]]:
    """Gives the list of the events of a class that are published from now on."""
    with hearing() as listen:
        yield listen
