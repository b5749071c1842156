"""Tests of the HTTP edge sign people in often: passwords are hashed cheaply, and no test counts for the next."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from backend.core import passwords
from backend.services.auth import limits
from backend.services.inbox import assistants


@pytest.fixture(autouse=True)
def _nothing_counted() -> None:
    limits.reset()


@pytest.fixture(autouse=True)
def _quick_passwords() -> Iterator[None]:
    passwords.use(passwords.Passwords(memory_kib=64, passes=1))
    yield
    passwords.use(None)


@pytest.fixture(autouse=True)
def _no_assistant() -> Iterator[None]:
    yield
    assistants.unregister()
