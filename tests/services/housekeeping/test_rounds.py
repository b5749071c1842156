"""Rounds: what an idle installation costs, and that one process does them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import event, select, text

from backend.channels.base import Content
from backend.core import clock, work
from backend.core.database import db, for_loop
from backend.core.work import Work
from backend.models import Heartbeat, JobRun, Message
from backend.services import delivery
from backend.services.dispatch.dispatcher import Dispatcher
from backend.services.housekeeping import rounds, sweeper
from backend.services.scheduling import system_jobs
from tests.support import factories
from tests.support.engine import no_files
from tests.support.fake_channel import FakeChannel

pytestmark = pytest.mark.usefixtures("no_bot")


@pytest.fixture
def engine(app, monkeypatch):
    """The engine of a loop, in an installation whose jobs have all run."""
    FakeChannel().install()
    monkeypatch.setattr(sweeper, "_next_rare", float("inf"))
    runs = [JobRun(job=job.name, state="succeeded", started_at=clock.now()) for job in system_jobs.registered()]
    db.session.add_all(runs)
    db.session.commit()
    made = for_loop(db.engine)
    yield made
    made.dispose()


@pytest.fixture
def statements(engine) -> Iterator[list[str]]:
    """What is asked of the database, on any engine."""
    seen: list[str] = []

    def note(connection, cursor, statement, *rest):
        seen.append(statement)

    engines = [engine, db.engine]
    for one in engines:
        event.listen(one, "before_cursor_execute", note)
    yield seen
    for one in engines:
        event.remove(one, "before_cursor_execute", note)


def stale() -> None:
    db.session.execute(text("UPDATE heartbeats SET at = at - interval '1 minute'"))
    db.session.commit()


def beats() -> set[str]:
    names = set(db.session.execute(select(Heartbeat.name)).scalars())
    db.session.rollback()
    return names


def test_an_idle_round_is_four_statements(engine, statements):
    assert rounds.run(engine) == {"sweep", "tick"}
    assert len(statements) == 4
    assert beats() == {"sweep", "tick"}


def test_right_after_a_round_another_process_asks_once(engine, statements):
    rounds.run(engine)
    statements.clear()
    assert rounds.run(engine) == set()
    assert len(statements) == 1


def test_a_round_follows_when_the_heartbeats_are_old(engine):
    rounds.run(engine)
    stale()
    assert rounds.run(engine) == {"sweep", "tick"}


def test_a_round_does_what_waits_under_the_locks(engine, valkey, held):
    bot = factories.bot(home := factories.workspace())
    message_id = delivery.send(factories.conversation(home, bot), Content("too late"), kind="test").id
    db.session.commit()
    clock.move(25 * 3600)
    with held("sweep"):
        assert rounds.run(engine) == {"tick"}
    assert ended(message_id) == ("queued", None)
    stale()
    assert rounds.run(engine) == {"sweep", "tick"}
    assert ended(message_id) == ("failed", "expired")


def ended(message_id: int) -> tuple[str, str | None]:
    message = db.session.get_one(Message, message_id, populate_existing=True)
    db.session.rollback()
    return message.state, message.error


def test_a_work_whose_question_fails_keeps_no_other_from_being_woken_and_no_sweep_beats(engine, valkey, monkeypatch):
    broken = Work("a_broken", "background", lambda: (select(text("no_such_column")),), lambda turn: 0)
    sound = Work("b_sound", "intake", lambda: (select(text("1")),), lambda turn: 0)
    answers = Work("c_answers", "notifications", lambda: True, lambda turn: 0)
    monkeypatch.setattr(work, "_registered", {one.name: one for one in (broken, sound, answers)})
    rounds.run(engine)
    assert valkey.llen("rq:queue:intake") == 1
    assert valkey.llen("rq:queue:notifications") == 1
    assert valkey.llen("rq:queue:background") == 0
    assert beats() == {"tick"}


def test_many_works_are_asked_about_by_one_statement(engine, statements):
    waits = [Work(str(number), "intake", lambda: (select(text("1")),), lambda turn: 0) for number in range(20)]
    idle = [
        Work(f"idle {number}", "intake", lambda: (Heartbeat.__table__.select(),), lambda turn: 0) for number in range(9)
    ]
    due = work.find_due([*waits, *idle])
    assert due.works == waits
    assert len(statements) == 1


def test_an_idle_dispatch_loop_asks_once_a_second(app, engine):
    dispatcher = Dispatcher(app.app_context, no_files)
    seen: list[str] = []
    for one in (db.engine, dispatcher._looks, dispatcher._claims):
        event.listen(one, "before_cursor_execute", lambda *given: seen.append(given[2]))
    assert dispatcher._turn() == 1.0
    assert len(seen) == 1
    assert dispatcher._turn() == 1.0
    assert len(seen) == 1, "the second has not passed"
