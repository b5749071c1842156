"""What passes by is heard by who listens at that moment and may hear it, and by nobody later."""

from __future__ import annotations

import json

import pytest

from backend.models import User
from backend.services.live import passing
from tests.asgi.conftest import Served
from tests.asgi.listening import note
from tests.http import callers, holdings
from tests.support.serving import Listener


def said_until(listener: Listener, number: int) -> list[str]:
    """The topics that were heard before the kept change of this number."""
    topics: list[str] = []
    while True:
        (change,) = listener.changes(1)
        if change["topic"] == "messages" and change["ids"]["message_id"] == number:
            return topics
        topics.append(change["topic"])


def tell_until_heard(listener: Listener, workspace_id: int, **options: list[int]) -> dict[str, object]:
    """Says it until it is heard: the listening to Redis may begin a moment after the first connection."""
    for _ in range(200):
        passing.tell(workspace_id, "typing", {"conversation_id": 5, "user_id": 9}, **options)
        block = listener.block()
        if "data" in block and (changes := json.loads(block["data"]).get("changes")):
            return json.loads(block["data"]) | {"changes": changes}
    raise AssertionError("nothing was heard")


def test_what_passes_by_moves_no_cursor_and_is_not_repeated(served: Served, ada: User) -> None:
    listener = served.listen(ada)
    listener.until("ready")
    ready = listener.last_id
    told = tell_until_heard(listener, ada.workspace_id)
    assert "id" not in told
    assert told["changes"][0]["topic"] == "typing"  # type: ignore[index]
    assert told["changes"][0]["ids"] == {"conversation_id": 5, "user_id": 9}  # type: ignore[index]
    listener.close()
    note(ada.workspace_id, 7)
    again = served.listen(ada, f"?last_event_id={ready}")
    assert said_until(again, 7) == []


def test_only_who_may_hears_it(served: Served, ada: User) -> None:
    kim, eve = callers.member(holdings.home(ada), role="viewer"), callers.member()
    for_ada, for_kim, for_eve = (served.listen(person) for person in (ada, kim, eve))
    for listener in (for_ada, for_kim, for_eve):
        listener.until("ready")
    tell_until_heard(for_kim, ada.workspace_id, only_for=[kim.id])
    note(ada.workspace_id, 1)
    note(eve.workspace_id, 2)
    assert said_until(for_ada, 1) == []
    assert said_until(for_eve, 2) == []


@pytest.mark.parametrize("data", [b"", b"x", b"[]", b"{}", b'{"only_for": 3}', b"\xff"])
def test_what_cannot_be_read_is_nothing(data: bytes) -> None:
    assert passing.read(data) == []
