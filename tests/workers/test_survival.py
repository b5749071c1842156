"""No thread that a process needs ends for good because of one error: it says so, rests and goes on."""

from __future__ import annotations

import asyncio
import errno
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from flask import Flask

from backend.asgi.live import endpoint, hub
from backend.channels.base import Receipt
from backend.core import process_registry, queue, thread_pools, work
from backend.core.database import db, system_scope
from backend.core.egress import EgressFailed, connection, target
from backend.core.leases import LeaseKeeper, LeaseTerms
from backend.core.thread_pools import BoundedPool
from backend.core.work import Work
from backend.services import housekeeping
from backend.services.dispatch import sender_sessions
from backend.services.dispatch.dispatcher import Dispatcher
from backend.services.dispatch.outcome_writer import OutcomeWriter
from backend.services.housekeeping import rounds, sweeper
from backend.services.intake import poller as polling
from backend.workers import rq_worker, supervisor
from tests.support import factories
from tests.support.engine import fresh, run_until, say
from tests.support.fake_channel import FakeChannel

NO_HANDLES = OSError(errno.EMFILE, "Too many open files")
ERRORS = [NO_HANDLES, MemoryError(), ValueError("a defect"), RuntimeError("can't start new thread")]


class Failing:
    """Raises the first `times` times it is called, then does what it is given, and counts."""

    def __init__(self, error: Exception, then: Callable[..., Any], times: int = 2) -> None:
        self.error, self.then, self.times, self.calls = error, then, times, 0

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        self.calls += 1
        if self.calls <= self.times:
            raise self.error
        return self.then(*arguments, **options)


@pytest.mark.parametrize("error", ERRORS)
def test_a_process_goes_on_saying_that_it_is_there(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    said = threading.Event()
    monkeypatch.setattr(process_registry, "EVERY", 0.001)
    monkeypatch.setattr(process_registry, "report", Failing(error, lambda *_, **__: said.set()))
    reporter = process_registry.Reporter("web")
    reporter.start()
    assert said.wait(60)
    reporter.stop()


@pytest.mark.parametrize("error", ERRORS)
@pytest.mark.parametrize("where", ["subscribe", "nudge"])
def test_nudges_are_heard_again(monkeypatch: pytest.MonkeyPatch, error: Exception, where: str) -> None:
    heard = threading.Event()
    monkeypatch.setattr(queue, "_REST_SECONDS", 0.001)

    class Subscription:
        def get_message(self, **_: Any) -> bool:
            return True

    @contextmanager
    def subscription(_channel: str) -> Iterator[Any]:
        yield Subscription()

    opening = Failing(error, subscription) if where == "subscribe" else subscription
    monkeypatch.setattr(queue, "_subscription", opening)
    listener = queue.NudgeListener(Failing(error, heard.set) if where == "nudge" else heard.set)
    listener.start()
    assert heard.wait(60)
    listener.stop()


def no_thread(*_: Any) -> None:
    raise RuntimeError("can't start new thread")


def test_a_crew_without_threads_keeps_its_places(monkeypatch: pytest.MonkeyPatch, app: Flask) -> None:
    crew, done = BoundedPool("test", 2), threading.Event()
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", no_thread)
        assert [crew.start(done.set) for _ in range(5)] == [False] * 5
    assert crew.free() == 2
    assert crew.start(done.set)
    assert done.wait(60)
    assert thread_pools._context is not None


def test_a_name_that_no_thread_can_look_up_is_a_failure_of_the_request(monkeypatch: pytest.MonkeyPatch) -> None:
    place = target.parse("http://public.example/")
    deadline = connection.Deadline(5, lambda: 0.0)
    monkeypatch.setattr(threading.Thread, "start", no_thread)
    with pytest.raises(EgressFailed) as failed:
        connection.resolve(place, lambda *_: [], deadline, allow_private=False)
    assert (failed.value.code, failed.value.sent) == ("dns_failed", False)


@pytest.mark.parametrize("error", ERRORS)
def test_the_recorder_records_the_next_batch(app: Flask, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    recorded = threading.Event()
    recorder = OutcomeWriter(app.app_context, Failing(error, lambda _: recorded.set(), times=1))
    monkeypatch.setattr(recorder, "_record", lambda _: None)
    recorder.start()
    outcome: Any = object()
    recorder.put(outcome)
    while not recorded.is_set():
        recorder.put(outcome)
        recorded.wait(0.01)
    recorder.finish()


@pytest.mark.parametrize("error", ERRORS)
def test_leases_are_renewed_again(app: Flask, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    renewed = threading.Event()
    keeper = LeaseKeeper(db.engine, terms=LeaseTerms(0.0025))
    monkeypatch.setattr(keeper, "renew", Failing(error, renewed.set))
    one = sender_sessions.SenderSessions(db.engine, app.app_context, lambda _: None, keeper)
    one.start()
    assert renewed.wait(60)
    assert one.is_alive()
    one.finish()


@pytest.mark.parametrize("step", ["_take_leases", "_claim_and_submit", "_settle_orphans"])
def test_the_dispatch_loop_goes_on(app: Flask, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    channel = FakeChannel().install()
    channel.script = lambda op: Receipt(("1",))
    monkeypatch.setattr("backend.services.dispatch.dispatcher.LOOK_SECONDS", 0.01)
    failing = Failing(NO_HANDLES, getattr(Dispatcher, step))
    monkeypatch.setattr(Dispatcher, step, lambda self: failing(self))
    with system_scope("test of the engine"):
        home = factories.workspace()
        message = say(factories.conversation(home, factories.bot(home)), "hello")
        run_until(app, lambda: fresh(message).state == "sent")
    assert failing.calls > 2


def test_a_live_reader_that_could_not_start_starts_with_the_next_connection(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def connect_twice() -> None:
        one = hub.Hub(app.app_context)
        with monkeypatch.context() as patched:
            patched.setattr(threading.Thread, "start", no_thread)
            one._start()
            assert one._thread is None
        one._start()
        assert one._thread is not None
        assert one._thread.is_alive()
        one.stop()

    asyncio.run(connect_twice())


@pytest.mark.parametrize("error", ERRORS)
def test_credentials_of_live_connections_are_looked_at_again(
    app: Flask, settings: Any, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    async def wait_for_it() -> None:
        looked = asyncio.Event()
        one = endpoint.Live(app, None, settings)  # type: ignore[arg-type]  # no thread is asked here

        async def look() -> None:
            looked.set()

        monkeypatch.setattr(one, "_recheck_due", Failing(error, look))
        task = asyncio.ensure_future(one._recheck())
        await asyncio.wait_for(looked.wait(), 60)
        task.cancel()

    monkeypatch.setattr(endpoint, "_LOOK", 0.001)
    asyncio.run(wait_for_it())


@pytest.mark.parametrize("error", ERRORS)
def test_the_loop_of_the_jobs_begins_anew(app: Flask, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    stopping = threading.Event()
    monkeypatch.setattr(rq_worker, "_REST_SECONDS", 0.001)
    working = Failing(error, lambda *_, **__: stopping.set())
    monkeypatch.setattr(rq_worker._Worker, "work", lambda self, **options: working())
    rq_worker.work(app, ["background"], stopping)
    assert working.calls == 3


@pytest.mark.parametrize("number", [errno.EMFILE, errno.EAGAIN, errno.ENOMEM])
def test_a_child_that_could_not_be_started_is_tried_again(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    class Child:
        pid, returncode = 4711, None

        def poll(self) -> None:
            return None

    starting = Failing(OSError(number, "no"), lambda *_: Child(), times=3)
    monkeypatch.setattr(supervisor, "_NO_PROCESS_SECONDS", 0.0)
    parent = supervisor.Supervisor(["jobs"], starting)
    parent._start("jobs")
    for _ in range(5):
        parent._look()
    assert starting.calls == 4
    assert not parent._stopping


@pytest.mark.parametrize("error", ERRORS)
def test_polling_goes_on(app: Flask, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    poller = polling.Poller(1, lambda _: None)
    monkeypatch.setattr(poller, "_take_over", Failing(error, poller.stop))
    monkeypatch.setattr(poller, "turn", lambda: 0)
    monkeypatch.setattr(poller._stop, "wait", lambda _: None)
    poller.run()
    assert poller._failures == 0


def test_a_defect_in_one_step_of_the_sweep_keeps_no_other_from_being_done(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    monkeypatch.setattr(sweeper, "_ensure_environment", Failing(NO_HANDLES, lambda: None, times=1))
    failing = Work("a_work", "intake", Failing(ValueError("x"), lambda: False, times=1), lambda turn: 0)
    monkeypatch.setattr(work, "_registered", {failing.name: failing})
    monkeypatch.setattr(sweeper.live, "purge", lambda: done.append("purged"))
    monkeypatch.setattr(rounds, "beat", lambda _, names: done.extend(names))
    assert housekeeping.sweep()
    assert done == ["purged"]
    assert housekeeping.sweep()
    assert done == ["purged", "purged", "sweep"]
