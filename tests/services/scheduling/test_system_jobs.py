"""The instance's jobs: due by their timing, one run at a time, gone on with when interrupted, triggered, paused."""

from __future__ import annotations

import ast
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from backend.core import clock, work
from backend.core.database import db
from backend.core.errors import NotFound, TooManyRequests
from backend.core.locking import advisory_lock
from backend.core.work import Turn
from backend.models import AuditEntry, JobRun
from backend.services import housekeeping, scheduling
from backend.services.housekeeping import declarations
from backend.services.scheduling import JobTurn, SystemJob, Timing, administration, system_jobs
from tests.services.scheduling.conftest import BEGINNING
from tests.support import factories

NAME = "a_job"
LANE = "background"


@pytest.fixture
def job(app):
    """A job of every hour; what it does is replaced by a test."""
    doing = {"it": lambda turn: 1}
    made = scheduling.register_system_job(
        SystemJob(NAME, LANE, Timing("interval", interval_seconds=3600), lambda turn: doing["it"](turn))
    )
    yield made, doing
    system_jobs.unregister_system_job(NAME)


def runs():
    db.session.rollback()
    found = db.session.execute(select(JobRun).where(JobRun.job == NAME).order_by(JobRun.id)).scalars()
    return [(run.state, run.detail, run.triggered_by) for run in found]


def test_it_runs_when_it_is_due_and_says_what_it_did(job) -> None:
    made, _ = job
    assert system_jobs.give_turn(made, Turn(60.0)) == 1
    assert system_jobs.give_turn(made, Turn(60.0)) == 0
    clock.move(3600)
    assert system_jobs.give_turn(made, Turn(60.0)) == 1
    assert runs() == [("succeeded", "1", None), ("succeeded", "1", None)]


def test_one_by_the_clock_runs_once_also_after_days_without_a_worker(job) -> None:
    made = scheduling.register_system_job(
        SystemJob(NAME, LANE, Timing("cron", cron="0 9 * * *", timezone="Asia/Seoul"), lambda turn: 1)
    )
    system_jobs.give_turn(made, Turn(60.0))
    assert administration.job_status(NAME).next_run_at == BEGINNING + timedelta(hours=16)
    clock.move(3 * 86_400)
    system_jobs.give_turn(made, Turn(60.0))
    system_jobs.give_turn(made, Turn(60.0))
    assert len(runs()) == 2


def test_a_run_of_several_turns_is_one_run(job) -> None:
    made, doing = job
    began = []

    def half(turn: JobTurn) -> int:
        began.append(turn.began)
        if len(began) < 3:
            turn.go_on_later()
        return 10

    doing["it"] = half
    turn = Turn(60.0)
    system_jobs.give_turn(made, turn)
    assert turn.unfinished
    assert runs() == [("running", "10", None)]
    clock.move(60)
    system_jobs.give_turn(made, Turn(60.0))
    system_jobs.give_turn(made, Turn(60.0))
    assert runs() == [("succeeded", "30", None)]
    assert len(set(began)) == 1


def test_a_turn_is_over_after_its_seconds(job) -> None:
    made, doing = job
    seen: list[bool] = []

    def look(turn: JobTurn) -> int:
        seen.append(turn.is_over())
        return 0

    doing["it"] = look
    system_jobs.give_turn(made, Turn(0.0))
    clock.move(3600)
    system_jobs.give_turn(made, Turn(60.0))
    assert seen == [True, False]


def test_one_that_raises_ends_its_run_and_the_lane_goes_on(job) -> None:
    _, doing = job

    def fail(turn: JobTurn) -> int:
        turn.at = "the third thing"
        raise ValueError("a defect")

    doing["it"] = fail
    other = scheduling.register_system_job(
        SystemJob("b_job", LANE, Timing("interval", interval_seconds=60), lambda turn: 5)
    )
    try:
        assert work.run_queue(LANE, 60) >= 5
    finally:
        system_jobs.unregister_system_job(other.name)
    last = administration.job_status(NAME).last_run
    assert last is not None
    assert (last.state, last.code, last.subject) == ("failed", "ValueError", "the third thing")


def test_one_that_lost_the_database_is_gone_on_with(job) -> None:
    made, doing = job

    def away(turn: JobTurn) -> int:
        raise OperationalError("SELECT", {}, ConnectionError())

    doing["it"] = away
    with pytest.raises(OperationalError):
        system_jobs.give_turn(made, Turn(60.0))
    assert runs() == [("running", "0", None)]
    doing["it"] = lambda turn: 2
    system_jobs.give_turn(made, Turn(60.0))
    assert runs() == [("succeeded", "2", None)]


def test_two_processes_do_not_work_at_it_at_once(job) -> None:
    made, _ = job
    with advisory_lock(db.engine, NAME):
        assert system_jobs.is_at_work(made)
        assert system_jobs.give_turn(made, Turn(60.0)) == 0
    assert runs() == []


# --- what the owner does ---------------------------------------------------------------------------------


def test_a_triggered_run_names_who_asked_and_runs_before_it_is_due(job, valkey) -> None:
    made, _ = job
    system_jobs.give_turn(made, Turn(60.0))
    administration.trigger(NAME, factories.by("user:7"))
    db.session.commit()
    assert valkey.llen(f"rq:queue:{LANE}") == 1
    assert administration.job_status(NAME).state == "queued"
    system_jobs.give_turn(made, Turn(60.0))
    assert runs() == [("succeeded", "1", None), ("succeeded", "1", "user:7")]
    entries = db.session.execute(select(AuditEntry.actor, AuditEntry.action, AuditEntry.subject)).all()
    assert entries == [("user:7", "job.triggered", f"job:{NAME}")]


def test_once_a_minute(job) -> None:
    administration.trigger(NAME, factories.by("user:7"))
    db.session.commit()
    clock.move(20)
    with pytest.raises(TooManyRequests) as refused:
        administration.trigger(NAME, factories.by("user:8"))
    assert refused.value.retry_after in (40, 41)
    db.session.rollback()
    clock.move(41)
    administration.trigger(NAME, factories.by("user:8"))
    db.session.commit()
    assert runs() == [("queued", "0", "user:7")], "one waits already"
    clock.move(-86_400)
    administration.trigger(NAME, factories.by("user:8"))


def test_one_that_is_triggered_while_it_runs_runs_again_afterwards(job) -> None:
    made, doing = job

    def trigger(turn: Turn) -> int:
        doing["it"] = lambda turn: 2
        administration.trigger(NAME, factories.by("user:7"))
        db.session.commit()
        return 1

    doing["it"] = trigger
    system_jobs.give_turn(made, Turn(60.0))
    assert runs() == [("succeeded", "1", None), ("queued", "0", "user:7")]
    system_jobs.give_turn(made, Turn(60.0))
    assert runs() == [("succeeded", "1", None), ("succeeded", "2", "user:7")]


def test_a_paused_one_runs_only_when_it_is_asked_to(job) -> None:
    made, _ = job
    paused = administration.pause(NAME, factories.by("user:7"))
    db.session.commit()
    assert (paused.state, paused.paused_by, paused.next_run_at) == ("paused", "user:7", None)
    assert system_jobs.give_turn(made, Turn(60.0)) == 0
    administration.trigger(NAME, factories.by("user:7"))
    db.session.commit()
    assert system_jobs.give_turn(made, Turn(60.0)) == 1
    clock.move(7200)
    assert system_jobs.give_turn(made, Turn(60.0)) == 0
    assert administration.resume(NAME, factories.by("user:7")).state == "idle"
    db.session.commit()
    assert system_jobs.give_turn(made, Turn(60.0)) == 1
    actions = db.session.execute(select(AuditEntry.action).order_by(AuditEntry.id)).scalars().all()
    assert actions == ["job.paused", "job.triggered", "job.resumed"]


def test_pausing_a_run_under_way_lets_it_end(job) -> None:
    made, doing = job
    doing["it"] = lambda turn: turn.go_on_later() or 1
    system_jobs.give_turn(made, Turn(60.0))
    administration.pause(NAME, factories.by("user:7"))
    db.session.commit()
    doing["it"] = lambda turn: 1
    system_jobs.give_turn(made, Turn(60.0))
    assert runs() == [("succeeded", "2", None)]


@pytest.mark.parametrize("act", [administration.trigger, administration.pause, administration.resume])
def test_an_unknown_job_is_not_found(act) -> None:
    with pytest.raises(NotFound) as refused:
        act("no_such_job", "user:7")
    assert refused.value.code == "job_not_found"


def test_the_status_says_whether_anything_ticks_and_what_is_overdue(job, home, fires) -> None:
    assert administration.status().is_running is False
    scheduling.create(home.id, "a test", 1, Timing("interval", interval_seconds=60))
    db.session.commit()
    clock.move(90)
    housekeeping.tick()
    found = administration.status()
    assert found.is_running
    assert (found.schedules, found.overdue) == (1, 1)
    assert found.oldest_due_at is not None
    assert {"retention", NAME} <= {one.job.name for one in found.jobs}


def test_a_lane_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown lane"):
        scheduling.register_system_job(SystemJob("x", "nowhere", Timing("once"), lambda turn: 0))


def test_every_module_that_declares_a_work_or_a_job_is_known_to_every_process() -> None:
    services = Path(declarations.__file__).parents[1]
    registering = set()
    for path in services.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
                owner = getattr(getattr(node.func, "value", None), "id", "scheduling")
                registers = ("register", "register_each", "register_system_job", "register_work")
                if owner == "scheduling" and name in registers and path.name != "system_jobs.py":
                    registering.add(".".join(("backend.services", *path.relative_to(services).with_suffix("").parts)))
    assert registering == {module.__name__ for module in declarations.MODULES}
