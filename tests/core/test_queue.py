"""Wake-ups leave after the commit, one job however many rows wait; Redis being away loses nothing but a hint."""

from __future__ import annotations

import pytest
import redis
from sqlalchemy import text

from backend.core import config, queue
from backend.core.database import db, system_scope
from tests.support.installation import free_port


@pytest.fixture(autouse=True)
def scope(app):
    with system_scope("test"):
        yield


def jobs(valkey, lane):
    return valkey.llen(f"rq:queue:{lane}")


def begin_a_job(valkey, lane):
    """What a worker does: takes the job, which begins by clearing the flag."""
    valkey.lpop(f"rq:queue:{lane}")
    queue.clear_flag(lane)


def test_a_wake_up_leaves_only_after_the_commit(valkey):
    queue.wake("intake")
    db.session.execute(text("SELECT 1"))
    assert jobs(valkey, "intake") == 0
    db.session.commit()
    assert jobs(valkey, "intake") == 1


def test_a_rollback_wakes_nobody(valkey):
    queue.wake("intake")
    db.session.execute(text("SELECT 1"))
    db.session.rollback()
    db.session.execute(text("SELECT 1"))
    db.session.commit()
    assert jobs(valkey, "intake") == 0


def test_a_released_savepoint_wakes_nobody_yet(valkey):
    queue.wake("intake")
    with db.session.begin_nested():
        db.session.execute(text("SELECT 1"))
    assert jobs(valkey, "intake") == 0
    db.session.commit()
    assert jobs(valkey, "intake") == 1


def test_a_savepoint_rolled_back_leaves_the_outer_transactions_wake_ups(valkey):
    queue.wake("intake")
    savepoint = db.session.begin_nested()
    queue.wake("background")
    db.session.execute(text("SELECT 1"))
    savepoint.rollback()
    db.session.commit()
    assert jobs(valkey, "intake") == 1


def test_a_rollback_of_everything_drops_what_was_woken_around_a_savepoint(valkey):
    queue.wake("intake")
    db.session.begin_nested()
    queue.wake("background")
    db.session.rollback()
    db.session.rollback()
    db.session.execute(text("SELECT 1"))
    db.session.commit()
    assert (jobs(valkey, "intake"), jobs(valkey, "background")) == (0, 0)


def test_many_wake_ups_make_one_job_until_the_job_has_begun(valkey):
    for _ in range(5):
        assert queue.wake_now("intake")
    assert jobs(valkey, "intake") == 1
    begin_a_job(valkey, "intake")
    queue.wake_now("intake")
    assert jobs(valkey, "intake") == 1


def test_jobs_do_not_heap_up_while_no_worker_takes_them(valkey):
    for _ in range(5):
        queue.wake_now("intake")
        valkey.delete("switchboard:wake:intake")  # what five seconds do
    assert jobs(valkey, "intake") == 1


def test_a_job_that_a_worker_took_and_lost_is_replaced_once_its_flag_is_over(valkey):
    queue.wake_now("intake")
    valkey.lpop("rq:queue:intake")
    queue.wake_now("intake")
    assert jobs(valkey, "intake") == 0
    valkey.delete("switchboard:wake:intake")
    queue.wake_now("intake")
    assert jobs(valkey, "intake") == 1


def test_an_unknown_lane_is_a_mistake_of_ours():
    with pytest.raises(ValueError, match="unknown lane"):
        queue.wake("nowhere")


def test_a_commit_succeeds_while_redis_is_away(app, monkeypatch):
    away = config.get().model_copy(update={"redis_url": f"redis://127.0.0.1:{free_port()}/0"})
    monkeypatch.setattr(config, "_current", away)
    monkeypatch.setattr(queue, "_away_until", 0.0)
    queue.wake("intake")
    db.session.execute(text("SELECT 1"))
    db.session.commit()
    assert queue.wake_now("intake") is False
    monkeypatch.setattr(queue, "_away_until", 0.0)


def test_every_lane_has_a_job_that_resolves():
    from importlib import import_module

    for lane in queue.QUEUES:
        assert callable(import_module(f"backend.jobs.{lane}").drain)


def test_a_nudge_is_heard(valkey):
    import threading

    heard = threading.Event()
    listener = queue.NudgeListener(heard.set)
    listener.start()
    try:
        for _ in range(1200):
            queue.wake_now("dispatch")
            if heard.wait(0.05):
                break
        assert heard.is_set()
    finally:
        listener.stop()


def test_job_payloads_are_json(valkey):
    queue.wake_now("background")
    job_id = valkey.lindex("rq:queue:background", 0).decode()
    data = redis.Redis.hget(valkey, f"rq:job:{job_id}", "data")
    assert data is not None
