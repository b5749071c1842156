"""What is noted is read exactly once, whatever order transactions commit in."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import timedelta

import psycopg
import pytest
from sqlalchemy import text

from backend.core import clock, queue
from backend.core.database import TenancyError, db, system_scope, workspace_scope
from backend.models import LiveEvent
from backend.services import live
from backend.services.live import queries
from backend.services.live.cursors import Snapshot
from tests.support import factories

pytestmark = pytest.mark.usefixtures("app")

INSERT = "INSERT INTO live_events (workspace_id, topic, ids, at) VALUES (%s, 'messages', %s::jsonb, now())"


@pytest.fixture
def home():
    made = factories.workspace().id
    commit()
    return made


@pytest.fixture
def others(databases):
    """Connections of other processes, in transactions of their own."""
    opened: list[psycopg.Connection] = []

    def connect() -> psycopg.Connection:
        opened.append(psycopg.connect(databases.url))
        return opened[-1]

    yield connect
    for one in opened:
        one.close()


def commit() -> None:
    with system_scope("test"):
        db.session.commit()


def write(connection: psycopg.Connection, workspace_id: int, number: int) -> None:
    connection.execute(INSERT, (workspace_id, f'{{"message_id": {number}}}'))


def numbers(found: queries.Reading) -> list[int]:
    assert found.changes is not None
    return sorted(change.ids["message_id"] for change in found.changes)


def look(since: Snapshot) -> queries.Reading:
    found = queries.since(since)
    db.session.rollback()
    return found


def rows() -> list[LiveEvent]:
    with system_scope("test"):
        found = list(db.session.query(LiveEvent).order_by(LiveEvent.id))
        db.session.rollback()
    return found


def test_notes_are_written_with_the_commit_in_one_statement_and_equal_ones_once(home, app):
    with workspace_scope(home):
        for number in (1, 2, 1):
            live.note(home, "messages", message_id=number, conversation_id=None)
        live.note(home, "links", only_for=5, link_id=1)
        assert rows() == []
        live.note(home, "messages", message_id=3)
        db.session.commit()
    assert [(row.topic, row.only_for, row.ids) for row in rows()] == [("messages", None, {"message_id": 3})]

    with workspace_scope(home):
        for number in (1, 2, 1):
            live.note(home, "messages", message_id=number, conversation_id=None)
        live.note(home, "links", only_for=5, link_id=1)
        db.session.commit()
    assert [(row.topic, row.only_for, row.ids) for row in rows()[1:]] == [
        ("messages", None, {"message_id": 1}),
        ("messages", None, {"message_id": 2}),
        ("links", 5, {"link_id": 1}),
    ]


def test_a_rollback_takes_the_notes_with_it_and_a_savepoint_does_not(home):
    live.note(home, "messages", message_id=1)
    db.session.rollback()
    commit()
    assert rows() == []
    live.note(home, "messages", message_id=1)
    with system_scope("test"), db.session.begin_nested():
        live.note(home, "messages", message_id=2)
    assert db.session.info["live_events"]
    commit()
    assert [row.ids["message_id"] for row in rows()] == [1, 2]


def test_a_note_wakes_the_web_processes_after_the_commit(home, valkey):
    heard = valkey.pubsub()
    heard.subscribe(queue.LIVE_CHANNEL)
    assert heard.get_message(timeout=2)["type"] == "subscribe"
    live.note(home, "messages", message_id=1)
    assert heard.get_message(timeout=0) is None
    commit()
    assert heard.get_message(timeout=2)["type"] == "message"
    heard.close()


def test_a_topic_is_a_name(home):
    for topic in ("", "Messages", "messages:1", "a" * 41):
        with pytest.raises(ValueError, match="no topic"):
            live.note(home, topic)


def test_a_note_does_not_carry_another_workspaces_rows_along(home):
    other = factories.workspace()
    commit()
    with workspace_scope(home):
        live.note(home, "messages", message_id=1)
        db.session.add(factories.User(workspace_id=other.id, name="Sam", created_at=clock.now()))
        with pytest.raises(TenancyError):
            db.session.commit()
    db.session.rollback()
    assert rows() == []


def test_what_commits_late_is_read_when_it_commits(home, others):
    first, second, third = others(), others(), others()
    begin = queries.now()
    db.session.rollback()
    write(first, home, 1)
    write(second, home, 2)
    write(third, home, 3)
    third.commit()
    one = look(begin)
    assert numbers(one) == [3]
    write(others_committed := others(), home, 4)
    others_committed.commit()
    first.commit()
    two = look(one.snapshot)
    assert numbers(two) == [1, 4]
    assert numbers(look(two.snapshot)) == []
    second.commit()
    assert numbers(look(two.snapshot)) == [2]
    assert numbers(look(begin)) == [1, 2, 3, 4], "from the beginning: each once"


def test_what_is_rolled_back_is_never_read(home, others):
    begin = queries.now()
    db.session.rollback()
    gone = others()
    write(gone, home, 1)
    between = look(begin)
    gone.rollback()
    assert numbers(look(between.snapshot)) == []
    assert numbers(look(begin)) == []


def test_a_transaction_that_stays_open_does_not_have_old_rows_read_again(home, others):
    held = others()
    write(held, home, 0)
    (holder,) = held.execute("SELECT pg_current_xact_id()::text::bigint").fetchone()
    begin = queries.now()
    db.session.rollback()
    for number in range(1, 30):
        live.note(home, "messages", message_id=number)
        commit()
        found = look(begin)
        assert numbers(found) == [number]
        assert found.snapshot.xmin <= holder, "what is held open is still to come"
        begin = found.snapshot
    held.commit()
    assert numbers(look(begin)) == [0]


def test_writers_at_once_lose_nothing_and_double_nothing(home, databases):
    """Forty transactions overlap in every way; a reader looks again and again, a client resumes from each look."""
    import random
    import threading

    dice = random.Random(7)
    plan = [(number, dice.random() * 0.03, dice.random() < 0.2) for number in range(200)]
    begin = queries.now()
    db.session.rollback()

    def work(part: list[tuple[int, float, bool]]) -> None:
        with psycopg.connect(databases.url) as connection:
            for number, pause, undone in part:
                write(connection, home, number)
                threading.Event().wait(pause)
                connection.rollback() if undone else connection.commit()

    threads = [threading.Thread(target=work, args=(plan[place::20],)) for place in range(20)]
    for thread in threads:
        thread.start()
    seen: list[int] = []
    looks = [begin]
    while any(thread.is_alive() for thread in threads):
        found = look(looks[-1])
        seen += numbers(found)
        looks.append(found.snapshot)
    for thread in threads:
        thread.join()
    last = look(looks[-1])
    seen += numbers(last)
    expected = [number for number, _, undone in plan if not undone]
    assert sorted(seen) == expected
    for snapshot in looks[:: max(1, len(looks) // 50)]:
        missed = queries.resume(home, snapshot, last.snapshot)
        heard_before = set(numbers(queries.resume(home, begin, snapshot)))
        assert heard_before | set(numbers(missed)) == set(expected)
        assert not heard_before & set(numbers(missed))
    db.session.rollback()


def test_a_client_that_comes_back_hears_of_its_own_workspace_only(home):
    other = factories.workspace()
    commit()
    begin = queries.now()
    live.note(home, "messages", message_id=1)
    live.note(other.id, "messages", message_id=2)
    commit()
    assert numbers(queries.resume(home, begin, queries.now())) == [1]
    assert numbers(queries.resume(other.id, begin, queries.now())) == [2]


@contextmanager
def fewer(monkeypatch, **limits):
    for name, value in limits.items():
        monkeypatch.setattr(queries, name, value)
    yield


def test_too_much_at_once_is_a_reset(home, monkeypatch):
    begin = queries.now()
    for number in range(6):
        live.note(home, "messages", message_id=number)
    commit()
    with fewer(monkeypatch, MAX_AT_ONCE=5):
        found = look(begin)
        assert (found.changes, found.reason) == (None, "too_many")
        assert queries.resume(home, begin, found.snapshot).reason == "too_many"
    with fewer(monkeypatch, MAX_SCANNED=5):
        assert queries.resume(home, begin, found.snapshot).reason == "too_many"
    assert look(found.snapshot).changes == []


def test_a_cursor_from_a_database_that_was_further_is_a_reset(home):
    ahead = Snapshot(queries.now().xmax + 1000)
    assert look(ahead).reason == "unknown"
    assert queries.resume(home, ahead, queries.now()).reason == "unknown"


def test_rows_of_a_restored_copy_are_neither_read_nor_kept(home):
    begin = queries.now()
    with system_scope("test"):
        db.session.execute(
            text(
                "INSERT INTO live_events (xid, workspace_id, topic, ids, at)"
                " VALUES ('99999999999', :home, 'messages', '{\"message_id\": 1}', now())"
            ),
            {"home": home},
        )
    commit()
    assert look(begin).changes == []
    assert queries.resume(home, begin, queries.now()).changes == []
    live.purge()
    assert rows() == []


def test_events_are_kept_for_an_hour_after_they_committed_and_a_cursor_from_before_is_a_reset(home, others):
    begin = queries.now()
    live.note(home, "messages", message_id=1)
    held = others()
    write(held, home, 2)
    commit()
    live.purge()
    middle = queries.now()
    assert len(rows()) == 1

    clock.move(3700)
    live.purge()
    assert rows() == [], "it had committed more than an hour before"
    assert queries.resume(home, begin, queries.now()).reason == "too_old"
    assert queries.resume(home, middle, queries.now()).changes == [], "it has heard of everything that is gone"

    held.commit()
    db.session.rollback()
    live.purge()
    assert [row.ids["message_id"] for row in rows()] == [2], "written an hour ago, committed just now"
    assert numbers(queries.resume(home, middle, queries.now())) == [2]
    db.session.rollback()
    for _ in range(2):
        clock.move(timedelta(hours=1, minutes=2).total_seconds())
        live.purge()
    assert rows() == []
    assert queries.resume(home, middle, queries.now()).reason == "too_old"
