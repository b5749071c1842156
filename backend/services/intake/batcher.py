"""The batcher: one thread stores the bodies of many requests in one transaction.

A commit costs the same for one body as for thirty. While one commits, the next ones gather; nobody waits for a timer.
Each request hears of its own body after the commit that holds it, and may acknowledge then. Large bodies, which may
hold a thousand items, have a thread and a connection of their own, so that small ones do not wait behind them.
"""

from __future__ import annotations

import queue as queues
import threading
from collections import Counter, deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from backend.core import failpoints, queue
from backend.core.database import db
from backend.core.logging import get_logger
from backend.services.intake.event_store import MAX_ROWS, Arrived, EventRow, Receiver, arrived, count_unknown, insert
from backend.services.senders.recipients import OWN, Recipients

log = get_logger(__name__)
_MAX = 200
"""Bodies of one transaction."""
_MAX_BYTES = 4 * 1024 * 1024
_LARGE_BYTES = 64 * 1024

Result = bool | Exception
"""Of a body: True once it is committed, False for one that is known, or what the database raised."""
OnStored = Callable[[Sequence[tuple[Any, Result]]], None]
"""Hears, in the acceptor's thread, of all of its bodies in a batch at once, by their tickets. Must not raise."""


@dataclass(frozen=True, slots=True)
class PendingUpdate:
    """A genuine body; `on_stored` is called with its `ticket` and result."""

    sender: Receiver
    raw: bytes
    on_stored: OnStored
    ticket: Any
    recipients: Recipients = OWN


class Acceptor:
    """The thread that stores bodies, and its queue; one for each engine of a process, and a second for large ones."""

    def __init__(self, engine: Engine, *, for_large: bool = False) -> None:
        self._engine = engine
        self._for_large = for_large
        self._large: Acceptor | None = None
        self._lock = threading.Lock()
        self._waiting: queues.SimpleQueue[Sequence[PendingUpdate]] = queues.SimpleQueue()
        self._connection: Connection | None = None
        # A daemon: what it has not committed was not acknowledged, and comes again.
        threading.Thread(target=self._run, name="accept", daemon=True).start()

    def accept(self, sender: Receiver, raw: bytes, recipients: Recipients = OWN) -> Future[bool]:
        """Has a genuine body stored. The future ends after the commit: True, False for one that is known, or what the
        database raised. Nothing may be acknowledged before."""
        stored: Future[bool] = Future()
        stored.set_running_or_notify_cancel()  # nobody can take it back from here on
        self.hand_over([PendingUpdate(sender, raw, _settle, stored, recipients)])
        return stored

    def hand_over(self, bodies: Sequence[PendingUpdate]) -> None:
        """Has bodies stored; whoever waits for them is told after the commit, and may acknowledge only then."""
        if not self._for_large and any(len(body.raw) > _LARGE_BYTES for body in bodies):
            self._second().hand_over([body for body in bodies if len(body.raw) > _LARGE_BYTES])
            bodies = [body for body in bodies if len(body.raw) <= _LARGE_BYTES]
        if bodies:
            self._waiting.put(bodies)

    def _second(self) -> Acceptor:
        with self._lock:
            if self._large is None:
                self._large = Acceptor(self._engine, for_large=True)
            return self._large

    def _run(self) -> None:
        while True:
            waiting = deque(self._waiting.get())
            while not self._waiting.empty():
                waiting.extend(self._waiting.get())
            while waiting:
                batch, size = [waiting.popleft()], 0
                while waiting and len(batch) < _MAX and size < _MAX_BYTES:
                    size += len(batch[-1].raw)
                    batch.append(waiting.popleft())
                try:
                    self._accept(batch)
                except Exception as error:
                    # Whoever waits hears nothing and gives up in time; the next ones must not.
                    log.exception("acceptor_defect", error=type(error).__name__)

    def _accept(self, batch: Sequence[PendingUpdate]) -> None:
        ready: list[tuple[PendingUpdate, Arrived]] = []
        for update in batch:
            try:
                ready.append((update, arrived(update.sender, update.raw, update.recipients)))
            except Exception as error:
                log.exception("body_defect", sender_id=update.sender.id, error=type(error).__name__)
                _notify([(update, error)])
        if ready:
            self._store(ready)

    def _store(self, ready: Sequence[tuple[PendingUpdate, Arrived]]) -> None:
        events = [event for _, body in ready for event in body.rows]
        try:
            new, repeated = self._insert(events, sum((body.unknown for _, body in ready), Counter()))
            failpoints.hit("webhook.inserted_not_woken")
        except (DBAPIError, PoolTimeout) as error:
            if len(ready) > 1 and isinstance(error, IntegrityError | DataError):
                # One of them is refused (its bot is gone): the others must not suffer for it.
                for pair in ready:
                    self._store([pair])
            else:
                _notify([(update, error) for update, _ in ready])
            return
        except Exception as error:
            log.exception("accept_defect", error=type(error).__name__)
            _notify([(update, error) for update, _ in ready])
            return
        # What a first attempt may have stored is known by now, and has not woken anybody.
        to_process = repeated or any(event.state == "new" and event.name in new for event in events)
        results: list[tuple[PendingUpdate, Result]] = []
        for update, body in ready:
            names = {event.name for event in body.rows}
            results.append((update, not names.isdisjoint(new)))
            new -= names  # the second of two equal ones
        _notify(results)
        if to_process:
            queue.wake_now("intake")

    def _insert(
        self, events: Sequence[EventRow], unknown: Counter[tuple[int, str]]
    ) -> tuple[set[tuple[int, bytes]], bool]:
        """Stores and commits; the names of those that were new, and whether it took a second attempt.

        One statement on a connection that stays is one round trip. A connection that broke since the last batch (the
        database was restarted) is replaced, and the statement repeated: whatever it has stored already is then known.
        """
        kept = self._connection is not None
        try:
            return self._store_once(events, unknown), False
        except (IntegrityError, DataError):
            raise  # it is the row's fault
        except Exception as error:
            # Perhaps the connection is of no more use: what it has prepared, or the state it is in.
            self._disconnect()
            broken = isinstance(error, DBAPIError) and error.connection_invalidated
            if not (kept and broken):
                raise
        return self._insert(events, unknown)[0], True

    def _store_once(self, events: Sequence[EventRow], unknown: Counter[tuple[int, str]]) -> set[tuple[int, bytes]]:
        connection = self._connected()
        if len(events) <= MAX_ROWS and not unknown:
            return insert(connection, events)
        # The connection commits each statement by itself: what takes several needs a transaction.
        connection.exec_driver_sql("BEGIN")
        try:
            new = insert(connection, events)
            count_unknown(connection, unknown)
        except BaseException:
            if not connection.invalidated:
                connection.exec_driver_sql("ROLLBACK")
            raise
        connection.exec_driver_sql("COMMIT")
        return new

    def _connected(self) -> Connection:
        if self._connection is None:
            self._connection = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        return self._connection

    def _disconnect(self) -> None:
        if self._connection is not None:
            connection, self._connection = self._connection, None
            connection.invalidate()
            connection.close()


def _notify(results: Sequence[tuple[PendingUpdate, Result]]) -> None:
    by_listener: dict[OnStored, list[tuple[Any, Result]]] = {}
    for update, result in results:
        by_listener.setdefault(update.on_stored, []).append((update.ticket, result))
    for on_stored, tickets in by_listener.items():
        on_stored(tickets)


def _settle(futures: Sequence[tuple[Future[bool], Result]]) -> None:
    for future, result in futures:
        if isinstance(result, Exception):
            future.set_exception(result)
        else:
            future.set_result(result)


_lock = threading.Lock()
_acceptors: dict[Engine, Acceptor] = {}


def accept(sender: Receiver, raw: bytes, recipients: Recipients = OWN) -> Future[bool]:
    """See `Acceptor.accept`. Needs an app context."""
    return acceptor(db.engine).accept(sender, raw, recipients)


def acceptor(engine: Engine) -> Acceptor:
    """The acceptor of this engine, started when it is first needed."""
    with _lock:
        acceptor_of_engine = _acceptors.get(engine)
        if acceptor_of_engine is None:
            acceptor_of_engine = _acceptors[engine] = Acceptor(engine)
        return acceptor_of_engine
