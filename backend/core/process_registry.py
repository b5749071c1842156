"""Which processes are there: each says so every few seconds, in Redis, and is forgotten when it does not.

Only for health and metrics. Nothing is decided by it, so it may be missing while Redis is away.
"""

from __future__ import annotations

import json
import os
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Final

import psutil
import redis

from backend.core import queue
from backend.core.logging import get_logger

log = get_logger(__name__)

EVERY: Final = 5.0
FORGOTTEN_AFTER: Final = 16
"""Seconds: a process that missed three turns is gone."""
_ALL: Final = "switchboard:processes"
_ONE: Final = "switchboard:process:"


@dataclass(frozen=True, slots=True)
class Process:
    """One process of the product. Times in seconds since 1970 and seconds of processor; memory in bytes."""

    role: str
    host: str
    pid: int
    started: float
    seen: float
    cpu: float
    memory: int
    live: int = 0
    """Open live connections, of a web process."""

    @property
    def name(self) -> str:
        """Where it is: `host:pid`."""
        return f"{self.host}:{self.pid}"


def report(role: str, *, live: int = 0) -> None:
    """Says that this process is there. Raises nothing: without Redis it is simply not seen."""
    own = psutil.Process()
    times = own.cpu_times()
    process = Process(
        role,
        socket.gethostname(),
        os.getpid(),
        round(own.create_time(), 3),
        round(time.time(), 3),
        round(times.user + times.system, 3),
        own.memory_info().rss,
        live,
    )
    key = f"{role}@{process.name}"
    try:
        with queue.connection().pipeline(transaction=False) as store:
            store.sadd(_ALL, key)
            store.set(_ONE + key, json.dumps(asdict(process)), ex=FORGOTTEN_AFTER)
            store.execute()
    except redis.RedisError as error:
        log.debug("presence_unknown", error=type(error).__name__)


def list_processes() -> list[Process] | None:
    """Lists the processes that reported lately, by role and name; None while Redis is away."""
    try:
        store: Any = queue.connection()
        keys = sorted(key.decode() for key in store.smembers(_ALL))
        values = store.mget([_ONE + key for key in keys]) if keys else []
        stale_keys = [key for key, value in zip(keys, values, strict=True) if value is None]
        if stale_keys:
            store.srem(_ALL, *stale_keys)
    except redis.RedisError:
        return None
    return [Process(**json.loads(value)) for value in values if value is not None]


class Reporter:
    """Reports in a thread until it is stopped."""

    def __init__(self, role: str, live: Callable[[], int] = lambda: 0) -> None:
        self._role = role
        self._live = live
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="presence", daemon=True)

    def start(self) -> None:
        """Begins, with a first report."""
        self._thread.start()

    def stop(self) -> None:
        """Ends it."""
        self._stop.set()

    def _run(self) -> None:
        while True:
            try:
                report(self._role, live=self._live())
            except Exception as error:
                # No file handles left, say: it is seen again as soon as there are some.
                log.exception("presence_defect", error=type(error).__name__)
            if self._stop.wait(EVERY):
                return
