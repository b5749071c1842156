"""A job whose fires are carried out one by one: each ends in the transaction of its own work."""

from __future__ import annotations

import pytest
from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from backend.core import clock
from backend.core.database import current_workspace_id, db, workspace_scope
from backend.core.errors import NotFound
from backend.core.work import Turn
from backend.models import JobRun, ScheduleFire, User
from backend.services import scheduling
from backend.services.scheduling import Fire, Timing, firing, registry
from tests.services.scheduling.conftest import JOB
from tests.support import factories


@pytest.fixture
def work(app):
    """What the job does with a fire; a test replaces it."""
    doing = {"it": lambda fire: None}
    scheduling.register_each(JOB, lambda fire: doing["it"](fire))
    yield doing
    registry.unregister(JOB)


def due(home, count=1):
    for number in range(1, count + 1):
        scheduling.create(home.id, JOB, number, Timing("interval", interval_seconds=3600))
    db.session.commit()
    clock.move(3600)


def rows():
    db.session.rollback()
    found = db.session.execute(select(ScheduleFire).order_by(ScheduleFire.id)).scalars()
    return [(row.state, row.code, row.result) for row in found]


def test_each_is_carried_out_in_its_workspace_and_keeps_what_came_of_it(home, work) -> None:
    seen = []

    def do(fire):
        seen.append((fire.subject_id, current_workspace_id()))
        return {"message_ids": [fire.subject_id]}

    work["it"] = do
    due(home, 2)
    assert scheduling.drain(Turn(60.0)) == 2
    assert seen == [(1, home.id), (2, home.id)]
    assert rows() == [("done", None, {"message_ids": [1]}), ("done", None, {"message_ids": [2]})]
    assert not scheduling.WORK.is_due()


def test_a_refusal_ends_its_fire_with_its_reason_and_not_the_others(home, work) -> None:
    person = factories.user(home)
    db.session.commit()

    def do(fire):
        person.name = f"by {fire.subject_id}"
        db.session.flush()
        if fire.subject_id == 1:
            raise NotFound("bot_not_found")

    work["it"] = do
    due(home, 2)
    scheduling.drain(Turn(60.0))
    assert rows() == [("failed", "bot_not_found", None), ("done", None, None)]
    found = db.session.execute(select(JobRun.job, JobRun.workspace_id, JobRun.code)).all()
    assert found == [(JOB, home.id, "bot_not_found")]
    assert db.session.get_one(User, person.id, populate_existing=True).name == "by 2"


def test_what_a_defect_wrote_is_not_kept(home, work) -> None:
    def do(fire):
        factories.user(home, name="Nobody")
        raise ValueError("a defect")

    work["it"] = do
    due(home)
    scheduling.drain(Turn(60.0))
    assert rows() == [("failed", "internal_error", None)]
    assert db.session.execute(select(User).where(User.name == "Nobody")).all() == []


def test_when_the_database_goes_away_the_fire_still_waits(home, work) -> None:
    def away(fire):
        raise OperationalError("INSERT", {}, ConnectionError())

    work["it"] = away
    due(home)
    with pytest.raises(OperationalError):
        scheduling.drain(Turn(60.0))
    assert rows() == [("waiting", None, None)]
    assert scheduling.WORK.is_due()
    work["it"] = lambda fire: None
    scheduling.drain(Turn(60.0))
    assert rows() == [("done", None, None)]


def test_one_that_died_at_its_fire_leaves_it_to_the_next(home, work, monkeypatch) -> None:
    done: list[Fire] = []
    work["it"] = done.append
    due(home)

    def dies(name):
        if name == "scheduling.carried_out_not_committed":
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(firing.failpoints, "hit", dies)
        with pytest.raises(KeyboardInterrupt):
            scheduling.drain(Turn(60.0))
    assert rows() == [("waiting", None, None)]
    scheduling.drain(Turn(60.0))
    assert rows() == [("done", None, None)]
    assert len({fire.id for fire in done}) == 1


def test_a_fire_that_another_process_has_is_passed_over(app, home, work) -> None:
    due(home, 2)
    scheduling.claim()
    first = db.session.execute(select(ScheduleFire).order_by(ScheduleFire.id).limit(1).with_for_update()).scalar_one()
    number = first.id

    with app.app_context():
        done: list[Fire] = []
        work["it"] = done.append
        scheduling.carry_out_waiting(Turn(60.0))
        assert [fire.id for fire in done] == [number + 1]
    db.session.rollback()


def test_a_turn_that_ends_early_is_followed_by_another(home, work) -> None:
    due(home, 3)
    turn = Turn(0.0)
    scheduling.drain(turn)
    assert [state for state, _, _ in rows()].count("done") <= 1
    assert turn.unfinished
    scheduling.drain(Turn(60.0))
    assert [state for state, _, _ in rows()] == ["done"] * 3


def test_running_it_now_names_who_asked_and_leaves_the_next_time(home, work, valkey) -> None:
    made = scheduling.create(home.id, JOB, 1, Timing("interval", interval_seconds=3600), enabled=False)
    db.session.commit()
    with workspace_scope(home.id):
        fire = scheduling.run_now(made, factories.by("user:7"))
        db.session.commit()
    assert (fire.state, fire.triggered_by) == ("waiting", "user:7")
    assert valkey.llen("rq:queue:scheduling") == 1
    seen: list[Fire] = []
    work["it"] = seen.append
    scheduling.drain(Turn(60.0))
    assert [(one.id, one.triggered_by) for one in seen] == [(fire.id, "user:7")]
    assert db.session.get_one(ScheduleFire, fire.id, populate_existing=True).state == "done"
    assert (made.next_fire_at, made.last_fire_at) == (None, None)


def test_running_now_a_job_that_writes_rows_writes_them_at_once(home, fires) -> None:
    made = scheduling.create(home.id, JOB, 1, Timing("interval", interval_seconds=3600))
    db.session.commit()
    with workspace_scope(home.id):
        row = scheduling.run_now(made, factories.by("user:7"))
        db.session.commit()
    assert [fire.id for fire in fires] == [row.id]
    assert row.state == "done"
