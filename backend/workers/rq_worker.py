"""RQ's worker as this product uses it: no process per job, signals left to us, and an end within a second."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextlib import suppress

import redis
from flask import Flask
from rq import Queue
from rq.exceptions import DequeueTimeout, StopRequested
from rq.job import Job
from rq.serializers import JSONSerializer
from rq.worker import WorkerStatus

from backend.compat.rq import BareWorker
from backend.core import queue
from backend.core.logging import get_logger

log = get_logger(__name__)
_LOOK_SECONDS = 10
"""How long one waiting for a job lasts. It is ended when the process is to stop."""
_INTERRUPT_SECONDS = 0.05
_REST_SECONDS = 1.0


def work(app: Flask, queue_names: Sequence[str], stopping: threading.Event) -> None:
    """Runs the queues' jobs until `stopping` is set, then ends after the current one; outlives Redis being away.

    A job is a wake-up that drains a batch of seconds, and lost ones are repeated by the sweep.
    """
    interrupter = _Interrupter(stopping)
    while not stopping.is_set():
        store = queue.connection(timeout=None)
        try:
            queues = [Queue(queue_name, connection=store, serializer=JSONSerializer) for queue_name in queue_names]
            worker = _Worker(queues, connection=store, serializer=JSONSerializer, log_job_description=False)
            worker.app, worker.stopping = app, stopping
            interrupter.worker = worker
            worker.work(with_scheduler=False, logging_level="WARNING")
            if not stopping.is_set():
                log.warning("worker_loop_ended", lanes=list(queue_names))
        except (redis.RedisError, OSError) as error:
            # The sweep does the work meanwhile; there is nothing to lose here.
            log.warning("redis_away", error=type(error).__name__, lanes=list(queue_names))
        except Exception as error:
            # A defect, or a machine that gives no more threads: a new loop in this process is as good as a new process.
            log.exception("worker_loop_defect", error=type(error).__name__, lanes=list(queue_names))
        finally:
            with suppress(redis.RedisError, OSError):
                store.close()
        stopping.wait(_REST_SECONDS)
    interrupter.end()


class _Interrupter:
    """Ends a worker's waiting for a job when it is to stop: its connection is closed then, and only then."""

    def __init__(self, stopping: threading.Event) -> None:
        self._stopping = stopping
        self._ended = threading.Event()
        self.worker: _Worker | None = None
        # Where there is no thread to be had, the worker ends when its waiting does.
        with suppress(RuntimeError):
            threading.Thread(target=self._run, name="interrupt", daemon=True).start()

    def end(self) -> None:
        """Ends its thread."""
        self._ended.set()

    def _run(self) -> None:
        self._stopping.wait()
        while not self._ended.wait(_INTERRUPT_SECONDS):
            worker = self.worker
            if worker is not None and worker.is_waiting:
                worker.connection.connection_pool.disconnect()


def behind(queues: Sequence[Queue], served: Queue) -> list[Queue]:
    """The queues in the order in which they are served next: the one that has just been served is the last."""
    return [*(other for other in queues if other.name != served.name), served]


class _Worker(BareWorker):
    """Runs each job in an app context, and ends its waiting when it is to stop."""

    app: Flask
    stopping: threading.Event
    is_waiting = False

    def subscribe(self) -> None:
        """RQ's remote commands are not used, and their thread would be waited for at the end."""

    def execute_job(self, job: Job, queue: Queue) -> None:
        """Runs one job here, in this process; the other queues are served before this one has its next."""
        with self.app.app_context():
            super().execute_job(job, queue)
        self.queues_in_turn = behind(self.queues_in_turn, queue)

    def dequeue_job_and_maintain_ttl(
        self, timeout: int | None, max_idle_time: int | None = None
    ) -> tuple[Job, Queue] | None:
        """Waits for a job. RQ's own would wait for minutes, and sleep for up to one at a time while Redis is away.

        Raises StopRequested, which ends `work`, when this process is to stop or Redis is away.
        """
        try:
            self.set_state(WorkerStatus.IDLE)
            while not self.stopping.is_set():
                self.heartbeat()
                if self.should_run_maintenance_tasks:
                    self.run_maintenance_tasks()
                dequeued: tuple[Job, Queue] | None = self._next()
                if dequeued is not None:
                    dequeued[0].redis_server_version = self.get_redis_server_version()
                    self.heartbeat()
                    return dequeued
        except (redis.ConnectionError, redis.TimeoutError) as error:
            raise StopRequested from error
        except (OSError, ValueError) as error:
            # What the client makes of a connection that the interrupter closes while it reads.
            if not self.stopping.is_set():
                raise
            raise StopRequested from error
        raise StopRequested

    def _next(self) -> tuple[Job, Queue] | None:
        self.is_waiting = True
        try:
            dequeued: tuple[Job, Queue] | None = self.queue_class.dequeue_any(
                self.queues_in_turn,
                _LOOK_SECONDS,
                connection=self.connection,
                job_class=self.job_class,
                serializer=self.serializer,
                death_penalty_class=self.death_penalty_class,
            )
        except DequeueTimeout:
            return None
        finally:
            self.is_waiting = False
        return dequeued
