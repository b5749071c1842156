"""Live events over the wire: who hears what, and that a reconnect misses nothing."""

from __future__ import annotations

import json
import threading
from typing import Any

import psycopg
import pytest
from sqlalchemy.exc import OperationalError

from backend.asgi.live import endpoint as serving_live
from backend.asgi.live import subscriptions
from backend.core import queue
from backend.models import User
from backend.services import live
from backend.services.live import queries
from tests.asgi.conftest import Served
from tests.asgi.listening import heard, note, socket
from tests.http import callers
from tests.support.serving import ask, eventually

# --- what is said ---


def test_a_stream_begins_at_once_and_tells_changes_with_the_cursor(served: Served, ada: User) -> None:
    listener = served.listen(ada)
    assert listener.answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert listener.answer.headers["x-accel-buffering"] == "no"
    assert listener.answer.headers["cache-control"] == "no-store"
    assert listener.block() == {"retry": "2000", "comment": "open"}
    first = listener.block()
    assert (first["retry"], first["event"]) == ("2000", "ready"), (
        "also with the first data, for clients that need it so"
    )
    ready = json.loads(first["data"])
    assert ready == {"type": "ready", "id": listener.last_id}
    note(ada.workspace_id, 7)
    changed = listener.block()
    assert "retry" not in changed
    change = json.loads(changed["data"])
    assert change["id"] == listener.last_id != ready["id"]
    [one] = change["changes"]
    assert (one["topic"], one["ids"]) == ("messages", {"message_id": 7})
    assert one["at"].endswith("Z")
    listener.close()


def test_a_websocket_says_the_same(served: Served, ada: User) -> None:
    with socket(served, **callers.signed_in(ada)) as client:
        assert json.loads(client.recv(60))["type"] == "ready"
        client.send("what a client says is not listened to")
        note(ada.workspace_id, 7)
        change = json.loads(client.recv(60))
        assert change["type"] == "change"
        assert [one["ids"] for one in change["changes"]] == [{"message_id": 7}]
        note(ada.workspace_id, 8)
        assert json.loads(client.recv(60))["changes"][0]["ids"] == {"message_id": 8}
    with socket(served, f"?last_event_id={change['id']}", **callers.signed_in(ada)) as client:
        assert [json.loads(client.recv(60))["type"] for _ in range(2)] == ["ready", "change"]


def test_only_ones_own_workspace_and_what_is_for_oneself(served: Served, ada: User) -> None:
    from tests.http import holdings

    kim, eve = callers.member(holdings.home(ada), role="viewer"), callers.member()
    ears = {name: served.listen(person) for name, person in {"ada": ada, "kim": kim, "eve": eve}.items()}
    for listener in ears.values():
        listener.until("ready")
    note(ada.workspace_id, 1)
    note(eve.workspace_id, 2)
    note(ada.workspace_id, 3, only_for=kim.id)
    note(ada.workspace_id, 4)
    note(eve.workspace_id, 5)
    assert heard(ears["ada"], 2) == [1, 4]
    assert heard(ears["kim"], 3) == [1, 3, 4]
    assert heard(ears["eve"], 2) == [2, 5]


def test_topics_choose(served: Served, ada: User) -> None:
    chosen = served.listen(ada, "?topics=links,bots")
    chosen.until("ready")
    note(ada.workspace_id, 1)
    note(ada.workspace_id, 2, topic="links")
    note(ada.workspace_id, 3, topic="bots")
    assert heard(chosen, 2) == [2, 3]


@pytest.mark.parametrize("query", ["?topics=Messages", "?topics=a%20b", "?topics=" + ",".join(["a"] * 21)])
def test_topics_that_are_no_names_are_refused(served: Served, ada: User, query: str) -> None:
    answer = ask(served.port, path=f"/api/live{query}", **callers.signed_in(ada))
    assert answer.status == 422
    assert json.loads(answer.content)["error"]["code"] == "bad_topics"  # type: ignore[attr-defined]


def test_heartbeats_move_the_cursor_without_an_event(
    served: Served, ada: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving_live, "HEARTBEAT", 0.2)
    listener = served.listen(ada, "?topics=nothing")
    listener.until("ready")
    note(ada.workspace_id, 1)
    reached = listener.last_id
    while listener.last_id == reached:
        block = listener.block()
        assert "data" not in block
        assert block["comment"] == "alive"
    listener.close()


# --- resuming ---


def test_a_reconnect_with_the_last_id_misses_nothing_though_transactions_commit_out_of_order(
    served: Served, ada: User, databases: Any
) -> None:
    insert = "INSERT INTO live_events (workspace_id, topic, ids, at) VALUES (%s, 'messages', %s::jsonb, now())"
    home = ada.workspace_id

    def write(number: int) -> psycopg.Connection:
        connection = psycopg.connect(databases.url)
        connection.execute(insert, (home, f'{{"message_id": {number}}}'))
        return connection

    listener = served.listen(ada)
    listener.until("ready")
    early = write(1)
    note(home, 2)
    assert heard(listener, 1) == [2]
    listener.close()
    late = write(3)
    note(home, 4)
    early.commit()
    listener = served.listen(ada, Last_Event_ID=str(listener.last_id))
    assert sorted(heard(listener, 2)) == [1, 4]
    late.commit()
    note(home, 5)
    assert sorted(heard(listener, 2)) == [3, 5]
    early.close()
    late.close()


def test_a_client_that_comes_and_goes_while_many_write_hears_everything(
    served: Served, ada: User, databases: Any
) -> None:
    home = ada.workspace_id
    insert = "INSERT INTO live_events (workspace_id, topic, ids, at) VALUES (%s, 'messages', %s::jsonb, now())"
    done = threading.Event()

    def work(first: int) -> None:
        with psycopg.connect(databases.url) as connection:
            for number in range(first, first + 40):
                connection.execute(insert, (home, f'{{"message_id": {number}}}'))
                threading.Event().wait((number * 7919 % 13) / 500)
                connection.commit()

    listener = served.listen(ada)
    listener.until("ready")
    writers = [threading.Thread(target=work, args=(100 * place,)) for place in range(6)]
    for writer in writers:
        writer.start()

    def wait() -> None:
        for writer in writers:
            writer.join()
        done.set()

    threading.Thread(target=wait).start()
    seen: set[int] = set()
    expected = {100 * place + number for place in range(6) for number in range(40)}
    while not expected <= seen:
        seen |= set(heard(listener, 1))
        listener.close()
        listener = served.listen(ada, Last_Event_ID=str(listener.last_id))
    assert done.wait(60)
    assert seen == expected


def test_what_was_missed_while_nobody_listened_is_heard(served: Served, ada: User) -> None:
    listener = served.listen(ada)
    listener.until("ready")
    listener.close()
    eventually(lambda: not served.front.live._connections, "the connection to be given up")
    note(ada.workspace_id, 1, 2)
    again = served.listen(ada, f"?last_event_id={listener.last_id}")
    assert heard(again, 2) == [1, 2]


@pytest.mark.parametrize("cursor", ["7", "1.AAAA", "x" * 5000, "1.//////8B"])
def test_a_cursor_that_cannot_be_read_is_a_reset_and_no_error(served: Served, ada: User, cursor: str) -> None:
    listener = served.listen(ada, f"?last_event_id={cursor}")
    assert listener.next()["type"] == "ready"
    reset = listener.next()
    assert (reset["type"], reset["reason"]) == ("reset", "unknown")
    assert reset["id"] == listener.last_id
    note(ada.workspace_id, 1)
    assert heard(listener, 1) == [1]


def test_too_much_at_once_is_a_reset_and_it_goes_on(served: Served, ada: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queries, "MAX_AT_ONCE", 3)
    listener = served.listen(ada)
    listener.until("ready")
    note(ada.workspace_id, 1, 2, 3, 4)
    assert listener.next()["reason"] == "too_many"
    note(ada.workspace_id, 5)
    assert heard(listener, 1) == [5]


# --- failures ---


def test_changes_come_while_redis_says_nothing(served: Served, ada: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue, "wake_now", lambda *lanes: False)
    listener = served.listen(ada)
    listener.until("ready")
    note(ada.workspace_id, 1)
    assert heard(listener, 1) == [1]


def test_a_database_that_is_away_costs_nothing_but_time(
    served: Served, ada: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    listener = served.listen(ada)
    listener.until("ready")
    away = threading.Event()
    real, failed = queries.since, []

    def since(snapshot: Any) -> Any:
        if not away.is_set():
            failed.append(snapshot)
            raise OperationalError("", {}, Exception("away"))
        return real(snapshot)

    monkeypatch.setattr(queries, "since", since)
    note(ada.workspace_id, 1)
    eventually(lambda: failed, "a look that fails")
    away.set()
    assert heard(listener, 1) == [1]


def test_a_client_that_does_not_read_is_dropped_and_the_others_hear_on(
    served: Served, ada: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subscriptions, "MAX_WAITING", 2)
    monkeypatch.setattr(serving_live, "STALLED", 0.3)
    good, stuck = served.listen(ada), served.listen(ada)
    good.until("ready")
    stuck.until("ready")
    count = 0
    while len(served.front.live._connections) > 1:
        numbers = range(count, count + 1500)
        for number in numbers:
            live.note(ada.workspace_id, "messages", message_id=number, conversation_id=10**15 + number)
        callers.commit()
        assert heard(good, 1500) == list(numbers)
        count += 1500
        assert count < 300_000, "the stuck one is still there"
    stuck.close()


def test_half_a_batch_is_heard_again_because_its_id_comes_with_it(served: Served, ada: User) -> None:
    listener = served.listen(ada)
    listener.until("ready")
    before = listener.last_id
    note(ada.workspace_id, 1, 2, 3)
    listener.answer.readline()  # the id's line: the event is not over, so a browser has not taken the id
    listener.close()
    again = served.listen(ada, Last_Event_ID=str(before))
    assert heard(again, 3) == [1, 2, 3]
