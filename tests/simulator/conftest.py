"""One simulator for the folder, emptied between the tests, with its settings put back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.simulator.receiver import Receiver
from tests.simulator.wire import OTHER_TOKEN
from tests.support.telegram_box import DEMO_TOKEN, TelegramBox


@pytest.fixture(scope="session")
def running() -> Iterator[TelegramBox]:
    """The process."""
    bots = [f"{DEMO_TOKEN}:switchboard_demo_bot", f"{OTHER_TOKEN}:other_demo_bot"]
    with TelegramBox(bots=bots) as box:
        yield box


@pytest.fixture
def box(running: TelegramBox) -> Iterator[TelegramBox]:
    """An empty world with two bots, the limits off."""
    before = running.settings()
    yield running
    running.settings(**before)
    running.reset()


@pytest.fixture
def mina(box: TelegramBox) -> dict[str, Any]:
    """Somebody who has started the first bot; nothing waits for it."""
    person = box.person("Mina", username="mina_park")
    box.start(person)
    box.call("getUpdates", offset=-1)
    box.call("getUpdates", offset=box.updates()[0]["update_id"] + 1)
    return person


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """Where a webhook can point."""
    with Receiver() as listening:
        yield listening
