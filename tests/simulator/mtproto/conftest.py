"""One simulator with accounts for the folder, emptied between the tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.telegram_box import TelegramBox

ANN, BOB, CYD = "+12025550101", "+12025550102", "+12025550103"


@pytest.fixture(scope="session")
def accounts_running() -> Iterator[TelegramBox]:
    """The process."""
    with TelegramBox(accounts=True) as box:
        yield box


@pytest.fixture
def box(accounts_running: TelegramBox) -> Iterator[TelegramBox]:
    """A world of Ann, Bob and Cyd, who has a password."""
    box = accounts_running
    before = box.control("GET", "/mtproto/settings")
    box.control("POST", "/accounts", {"phone": ANN, "first_name": "Ann", "username": "ann_sim"})
    box.control("POST", "/accounts", {"phone": BOB, "first_name": "Bob", "username": "bob_sim"})
    box.control("POST", "/accounts", {"phone": CYD, "first_name": "Cyd", "password": "hunter2", "hint": "as ever"})
    yield box
    box.control("PATCH", "/mtproto/settings", before)
    box.reset()
