"""Each queue has a worker, each role a loop, and a job that is waited for can be interrupted."""

from __future__ import annotations

import threading

import pytest

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
    loop.join(30)
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


def test_a_worker_ends_while_redis_is_away(app, monkeypatch):
    stopping = threading.Event()
    away = queue.connection().__class__.from_url("redis://127.0.0.1:1/0")
    monkeypatch.setattr(queue, "connection", lambda timeout=None: away)
    monkeypatch.setattr(rq_worker.log, "warning", lambda *given, **values: stopping.set())
    rq_worker.work(app, queue.QUEUES, stopping)
    assert stopping.is_set()
