"""What the tests of live events begin with: a change that is noted, and who hears it."""

from __future__ import annotations

from typing import Any

from websockets.sync.client import connect

from backend.services import live
from tests.asgi.conftest import Served
from tests.http import callers
from tests.support.serving import Listener


def note(workspace_id: int, *numbers: int, topic: str = "messages", **options: Any) -> None:
    for number in numbers:
        live.note(workspace_id, topic, message_id=number, **options)
    callers.commit()


def heard(listener: Listener, count: int) -> list[int]:
    return [change["ids"]["message_id"] for change in listener.changes(count)]


def socket(served: Served, query: str = "", **headers: str) -> Any:
    return connect(f"ws://127.0.0.1:{served.port}/api/live{query}", additional_headers=headers, open_timeout=60)
