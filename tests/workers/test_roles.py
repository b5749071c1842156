"""Each queue has a worker, each role a loop, and a job that is waited for can be interrupted."""

from __future__ import annotations

import threading

import pytest
from rq import Queue

from backend.core import queue
from backend.services.dispatch.dispatcher import Dispatcher
from backend.workers import child, rq_worker, supervisor


def test_the_sensible_set_serves_every_queue_and_dispatches():
    served = {lane for role in supervisor.SENSIBLE for lane in child.queues_of(role)}
    assert served == set(queue.QUEUES)
    assert "dispatch" in supervisor.SENSIBLE


@pytest.mark.parametrize("lane", queue.QUEUES)
def test_each_queue_can_have_a_worker_of_its_own(lane):
    assert lane in supervisor.ROLES
    assert child.queues_of(lane) == [lane]


@pytest.mark.parametrize("role", supervisor.ROLES)
def test_every_role_resolves_to_a_loop_that_ends_when_it_is_told_to(app, settings, role):
    work, stop = child._dispatching(app, settings) if role == "dispatch" else child._working(app, child.queues_of(role))
    loop = threading.Thread(target=work, daemon=True)
    stop()
    loop.start()
    loop.join(60)
    assert not loop.is_alive()


def test_the_dispatch_role_is_the_dispatch_loop(app, settings):
    work, _ = child._dispatching(app, settings)
    assert isinstance(getattr(work, "__self__", None), Dispatcher)


def test_a_worker_runs_the_job_of_a_lane_and_ends_after_it(app, valkey, monkeypatch):
    from backend.jobs import intake

    stopping, ran = threading.Event(), []

    def drain():
        ran.append(threading.current_thread())
        stopping.set()
        return 0

    monkeypatch.setattr(intake, "drain", drain)
    queue.wake_now("intake")
    rq_worker.work(app, queue.QUEUES, stopping)
    assert ran == [threading.current_thread()]
    assert valkey.llen("rq:queue:intake") == 0
    assert list(valkey.scan_iter("rq:job:*")) == []


@pytest.mark.parametrize("error", [ValueError("I/O operation on closed file."), OSError(9, "Bad file descriptor")])
def test_a_connection_that_is_closed_under_a_read_ends_the_worker_without_a_word(app, monkeypatch, caplog, error):
    """To end its waiting the connection is closed, and the client may be in the middle of reading from it."""
    stopping, defects = threading.Event(), []

    def read_while_it_is_closed(self):
        stopping.set()
        raise error

    monkeypatch.setattr(rq_worker._Worker, "_next", read_while_it_is_closed)
    for level in ("warning", "exception"):
        monkeypatch.setattr(rq_worker.log, level, lambda *given, **values: defects.append(given))
    rq_worker.work(app, queue.QUEUES, stopping)
    assert (defects, [record.getMessage() for record in caplog.records]) == ([], [])


def test_the_same_error_while_it_is_to_go_on_is_told(app, monkeypatch):
    stopping, told = threading.Event(), []

    def fail(self):
        raise ValueError("I/O operation on closed file.")

    def note(event, **values):
        told.append(event)
        stopping.set()

    monkeypatch.setattr(rq_worker._Worker, "_next", fail)
    monkeypatch.setattr(rq_worker.log, "warning", note)
    rq_worker.work(app, queue.QUEUES, stopping)
    assert told == ["worker_loop_ended"]


def test_a_worker_ends_while_redis_is_away(app, monkeypatch):
    stopping = threading.Event()
    away = queue.connection().__class__.from_url("redis://127.0.0.1:1/0")
    monkeypatch.setattr(queue, "connection", lambda timeout=None: away)
    monkeypatch.setattr(rq_worker.log, "warning", lambda *given, **values: stopping.set())
    rq_worker.work(app, queue.QUEUES, stopping)
    assert stopping.is_set()


def test_the_queue_that_was_served_last_is_the_last_to_be_served_again(app, valkey):
    served = [Queue(name, connection=valkey) for name in ("a", "b", "c")]
    assert [one.name for one in rq_worker.behind(served, served[0])] == ["b", "c", "a"]
    assert [one.name for one in rq_worker.behind(served, served[2])] == ["a", "b", "c"]


def test_a_flooded_queue_does_not_keep_a_worker_from_the_others(app, valkey, monkeypatch):
    from backend.jobs import background, intake

    stopping, ran = threading.Event(), []

    def flood():
        ran.append("intake")
        queue.clear_flag("intake")
        queue.wake_now("intake")
        return 1

    def other():
        ran.append("background")
        stopping.set()
        return 1

    monkeypatch.setattr(intake, "drain", flood)
    monkeypatch.setattr(background, "drain", other)
    queue.wake_now("intake", "background")
    rq_worker.work(app, queue.QUEUES, stopping)
    assert ran == ["intake", "background"]
