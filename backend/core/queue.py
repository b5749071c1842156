"""Wake-ups: after a commit, one RQ job for a lane however many rows wait, and a nudge for the dispatch loop.

A lane's flag bounds how often Redis is asked for a job, the length of its queue how many wait: one, also where no
worker takes them. Both kinds are hints. The rows in PostgreSQL are the work; the sweep repeats every wake-up and the
dispatch loop looks each second by itself, so a wake-up that is lost with Redis costs a moment and never a message.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import redis
from flask_sqlalchemy.session import Session as FlaskSession
from redis.backoff import NoBackoff
from redis.retry import Retry
from rq import Queue
from rq.serializers import JSONSerializer
from sqlalchemy import event
from sqlalchemy.orm import SessionTransaction

from backend.core import config, failpoints
from backend.core.database import TenantSession, db
from backend.core.logging import get_logger

log = get_logger(__name__)

QUEUES = ("intake", "scheduling", "notifications", "background")
"""The RQ queues. Each has a job `backend.jobs.<lane>.drain`."""

NUDGE_CHANNEL = "switchboard:nudge"
LIVE_CHANNEL = "switchboard:live"
_CHANNELS = {"dispatch": NUDGE_CHANNEL, "live": LIVE_CHANNEL}
"""What is published, beside the lanes."""
_FLAG_SECONDS = 5
_JOB_SECONDS = 86_400
"""How long a waiting job's data are kept. A worker that comes later finds the name only and passes over it."""
_PENDING = "wake_ups"
_REST_SECONDS = 1.0

_lock = threading.Lock()
_connection: tuple[str, redis.Redis] | None = None
_away_until = 0.0


def connection(*, timeout: float | None = 2.0) -> redis.Redis:
    """A Redis connection for `REDIS_URL`, shared by the process's threads; `timeout` None blocks (for listeners)."""
    global _connection
    url = config.get().redis_url
    if timeout is None:
        return redis.Redis.from_url(url, socket_connect_timeout=2.0, health_check_interval=15)
    with _lock:
        if _connection is None or _connection[0] != url:
            client = redis.Redis.from_url(
                url,
                socket_timeout=timeout,
                socket_connect_timeout=1.0,
                retry=Retry(NoBackoff(), 1),
                health_check_interval=15,
            )
            _connection = (url, client)
        return _connection[1]


def wake(lane: str) -> None:
    """Has the lane's job run once the current transaction has committed; nothing happens on a rollback."""
    if lane not in QUEUES:
        raise ValueError(f"unknown lane {lane}")
    db.session.info.setdefault(_PENDING, set()).add(lane)


def nudge() -> None:
    """Tells the dispatch loops, after the commit, that deliveries may be due."""
    db.session.info.setdefault(_PENDING, set()).add("dispatch")


def announce() -> None:
    """Tells the web processes, after the commit, that there are live events."""
    db.session.info.setdefault(_PENDING, set()).add("live")


def wake_now(*lanes: str) -> bool:
    """Sends wake-ups at once; False when Redis is away (it is then left alone for a second)."""
    global _away_until
    if time.monotonic() < _away_until:
        return False
    try:
        store = connection()
        for lane in sorted(lanes):
            if lane in _CHANNELS:
                store.publish(_CHANNELS[lane], b"1")
            else:
                _enqueue(store, lane)
    except redis.RedisError as error:
        _away_until = time.monotonic() + _REST_SECONDS
        log.warning("redis_away", error=type(error).__name__, lanes=list(lanes))
        return False
    return True


def clear_flag(lane: str) -> None:
    """Lets later rows wake the lane again; a job calls it before its reading transaction."""
    try:
        connection().delete(_flag(lane))
    except redis.RedisError as error:
        log.warning("redis_away", error=type(error).__name__, lanes=[lane])


def _enqueue(store: redis.Redis, lane: str) -> None:
    """Adds a job unless one was added moments ago or still waits: a waiting one reads after this commit anyway."""
    queue = Queue(lane, connection=store, serializer=JSONSerializer)
    with store.pipeline(transaction=True) as pipeline:
        pipeline.set(_flag(lane), b"1", nx=True, ex=_FLAG_SECONDS)
        pipeline.llen(queue.key)
        raised, waiting = pipeline.execute()
    if raised and not waiting:
        queue.enqueue_call(
            f"backend.jobs.{lane}.drain",
            timeout=120,
            result_ttl=0,
            failure_ttl=86400,
            ttl=_JOB_SECONDS,
            description=lane,
        )


def _flag(lane: str) -> str:
    return f"switchboard:wake:{lane}"


@event.listens_for(TenantSession, "after_commit")
def _after_commit(session: FlaskSession) -> None:
    # The hook also fires when a savepoint is released: what is woken then could not be read yet.
    if session.in_nested_transaction() or not session.info.get(_PENDING):
        return
    lanes = session.info.pop(_PENDING)
    if lanes != {"live"}:
        failpoints.hit("webhook.inserted_not_woken" if "intake" in lanes else "delivery.inserted_not_woken")
    wake_now(*lanes)


@event.listens_for(TenantSession, "after_soft_rollback")
def _after_rollback(session: FlaskSession, ended: SessionTransaction) -> None:
    # A savepoint's end leaves the transaction around it, and whom that one wakes. What the savepoint itself would have
    # woken is woken in vain then, which costs a look.
    if not ended.nested:
        session.info.pop(_PENDING, None)


class NudgeListener:
    """A thread that calls `on_nudge` for each nudge; while Redis is away it tries again each second."""

    def __init__(self, on_nudge: Callable[[], None], channel: str = NUDGE_CHANNEL) -> None:
        self._on_nudge = on_nudge
        self._channel = channel
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="nudges", daemon=True)

    def start(self) -> None:
        """Starts listening."""
        self._thread.start()

    def stop(self) -> None:
        """Ends the thread within a second."""
        self._stop.set()

    def heard(self, message: Mapping[str, Any]) -> None:
        """What is done with a message: a nudge says nothing but that it came."""
        self._on_nudge()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                with _subscription(self._channel) as heard:
                    while not self._stop.is_set():
                        message = heard.get_message(ignore_subscribe_messages=True, timeout=1.0)
                        if message:
                            self.heard(message)
            except (redis.RedisError, OSError):
                self._stop.wait(_REST_SECONDS)
            except Exception as error:
                log.exception("nudge_defect", channel=self._channel, error=type(error).__name__)
                self._stop.wait(_REST_SECONDS)


@contextmanager
def _subscription(channel: str) -> Iterator[Any]:
    store = connection(timeout=None)
    heard = store.pubsub()
    try:
        heard.subscribe(channel)
        yield heard
    finally:
        heard.close()
        store.close()
