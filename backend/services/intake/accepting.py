"""Accepting: what many requests hand over at once is stored by one thread in one transaction.

A commit costs the same for one body as for thirty. While one commits, the next ones gather; nobody waits for a timer.
Each request hears of its own body after the commit that holds it, and may acknowledge then.
"""

from __future__ import annotations

import queue as queues
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from backend.core import failpoints, queue
from backend.core.database import db
from backend.core.logging import get_logger
from backend.services.intake.storing import Arrived, Receiver, arrived, insert

log = get_logger(__name__)
_MOST = 200
"""Bodies of one transaction."""
_MOST_BYTES = 4 * 1024 * 1024


@dataclass(slots=True)
class _Handed:
    sender: Receiver
    raw: bytes
    stored: Future[bool] = field(default_factory=Future)


class Acceptor:
    """The thread and what waits for it. One for each engine of a process."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._waiting: queues.SimpleQueue[_Handed] = queues.SimpleQueue()
        # A daemon: what it has not committed was not acknowledged, and comes again.
        threading.Thread(target=self._run, name="accept", daemon=True).start()

    def accept(self, sender: Receiver, raw: bytes) -> Future[bool]:
        """Has a body stored whose secret was verified. The future ends after the commit: True, False for one that is
        known, or what the database raised. Nothing may be acknowledged before."""
        handed = _Handed(sender, raw)
        handed.stored.set_running_or_notify_cancel()  # nobody can take it back from here on
        self._waiting.put(handed)
        return handed.stored

    def _run(self) -> None:
        while True:
            batch = [self._waiting.get()]
            size = len(batch[0].raw)
            while len(batch) < _MOST and size < _MOST_BYTES and not self._waiting.empty():
                batch.append(self._waiting.get())
                size += len(batch[-1].raw)
            ready: list[tuple[_Handed, Arrived]] = []
            for handed in batch:
                try:
                    ready.append((handed, arrived(handed.sender, handed.raw)))
                except Exception as error:
                    log.exception("body_defect", sender_id=handed.sender.id, error=type(error).__name__)
                    handed.stored.set_exception(error)
            if ready:
                self._store(ready)

    def _store(self, ready: Sequence[tuple[_Handed, Arrived]]) -> None:
        events = [event for _, event in ready]
        try:
            with self._engine.begin() as connection:
                new = insert(connection, events)
            failpoints.hit("webhook.inserted_not_woken")
        except (DBAPIError, PoolTimeout) as error:
            if len(ready) > 1 and not isinstance(error, OperationalError | PoolTimeout):
                # One of them is refused (its bot is gone): the others must not suffer for it.
                for one in ready:
                    self._store([one])
            else:
                _fail(ready, error)
            return
        except Exception as error:
            log.exception("accept_defect", error=type(error).__name__)
            _fail(ready, error)
            return
        to_process = any(event.name in new and not event.parked for event in events)
        for handed, event in ready:
            handed.stored.set_result(event.name in new)
            new.discard(event.name)  # the second of two equal ones
        if to_process:
            queue.wake_now("intake")


def _fail(ready: Sequence[tuple[_Handed, Arrived]], error: Exception) -> None:
    for handed, _ in ready:
        handed.stored.set_exception(error)


_lock = threading.Lock()
_acceptors: dict[Engine, Acceptor] = {}


def accept(sender: Receiver, raw: bytes) -> Future[bool]:
    """See `Acceptor.accept`. Needs an app context."""
    return acceptor(db.engine).accept(sender, raw)


def acceptor(engine: Engine) -> Acceptor:
    """The acceptor of this engine, started when it is first needed."""
    with _lock:
        found = _acceptors.get(engine)
        if found is None:
            found = _acceptors[engine] = Acceptor(engine)
        return found
