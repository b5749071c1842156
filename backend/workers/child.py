"""One worker process: its role's loop in the main thread, housekeeping and the watch on its parent beside it."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from types import FrameType

import redis
from flask import Flask
from rq import Queue, SimpleWorker
from rq.exceptions import StopRequested
from rq.job import Job
from rq.serializers import JSONSerializer
from sqlalchemy.exc import DBAPIError

from backend.core import queue
from backend.core.config import Settings
from backend.core.logging import get_logger
from backend.services import housekeeping

log = get_logger(__name__)
_PARENT_LOOK_SECONDS = 0.5
_GRACE_SECONDS = 1.2
_PR_SET_PDEATHSIG = 1


def run(role: str, settings: Settings) -> int:
    """Runs one role until SIGTERM, or until the parent is gone."""
    from backend.app import create_app

    parent = os.getppid()
    _die_with_parent()
    app = create_app(settings)
    stop: Callable[[], None]
    if role == "dispatch":
        work, stop = _dispatching(app, settings)
    else:
        work, stop = _working(app, list(queue.LANES) if role == "jobs" else [role])
    ending = threading.Event()

    def on_signal(number: int, frame: FrameType | None) -> None:
        ending.set()
        stop()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, on_signal)
    threading.Thread(target=_watch_parent, args=(parent,), name="parent", daemon=True).start()
    keeper = threading.Thread(target=_keep_house, args=(app, ending), name="housekeeping", daemon=True)
    keeper.start()
    work()
    ending.set()
    keeper.join(5)
    return 0


def _dispatching(app: Flask, settings: Settings) -> tuple[Callable[[], None], Callable[[], None]]:
    from backend.core import storage
    from backend.services.delivery.dispatcher import Dispatcher

    files = storage.from_url(settings.media_url)
    dispatcher = Dispatcher(app.app_context, files.open, connections=settings.dispatch_connections)
    return dispatcher.run, dispatcher.stop


def _working(app: Flask, lanes: list[str]) -> tuple[Callable[[], None], Callable[[], None]]:
    """RQ's worker without a fork per job: a job is a wake-up that drains a batch of seconds."""
    stopping = threading.Event()
    current: list[_Worker] = []

    def work() -> None:
        while not stopping.is_set():
            store = queue.connection(timeout=None)
            try:
                queues = [Queue(lane, connection=store, serializer=JSONSerializer) for lane in lanes]
                worker = _Worker(queues, connection=store, serializer=JSONSerializer, log_job_description=False)
                worker.app = app
                current[:] = [worker]
                worker.work(with_scheduler=False, logging_level="WARNING")
                if not stopping.is_set():
                    log.warning("worker_loop_ended")
            except (redis.RedisError, OSError) as error:
                # The sweep does the work meanwhile; there is nothing to lose here.
                log.warning("redis_away", error=type(error).__name__, lanes=lanes)
            finally:
                store.close()
            stopping.wait(1.0)

    def stop() -> None:
        stopping.set()
        for worker in current:
            worker.end_soon()

    return work, stop


class _Worker(SimpleWorker):
    """Leaves signals to us, runs each job in an app context, and ends after the current job when it is told to."""

    app: Flask
    _busy = False

    def _install_signal_handlers(self) -> None:
        """RQ's own handlers would replace those of `run`."""

    def execute_job(self, job: Job, queue: Queue) -> None:
        """Runs one job here, in this process."""
        self._busy = True
        try:
            with self.app.app_context():
                super().execute_job(job, queue)
        finally:
            self._busy = False

    def end_soon(self) -> None:
        """Called from a signal handler in the worker's own thread: an idle wait is cut short, a job is finished."""
        self._stop_requested = True
        if not self._busy:
            raise StopRequested


def _keep_house(app: Flask, ending: threading.Event) -> None:
    """Tries the sweep and the tick every two seconds; so does every other worker process, and one of them does it."""
    while not ending.wait(housekeeping.SWEEP_SECONDS):
        try:
            with app.app_context():
                housekeeping.sweep()
                housekeeping.tick()
        except DBAPIError as error:
            log.warning("database_away", error=type(error).__name__)
        except Exception as error:
            # A defect in one part must not end the others' housekeeping; readiness shows that no beat came.
            log.exception("housekeeping_defect", error=type(error).__name__)


def _die_with_parent() -> None:
    """On Linux the kernel ends us with our parent; `_watch_parent` does it elsewhere, and where that was too late."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _watch_parent(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_PARENT_LOOK_SECONDS)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(_GRACE_SECONDS)
    os._exit(1)
