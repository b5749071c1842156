"""The hub: one reader for all live connections of a process, and no database connection of their own.

A thread looks when Redis tells of a commit, and each second anyway, so that live events come a second later while Redis
is away. The more connections, the longer it gathers: what a moment costs is bounded.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Final

from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from backend.asgi.live.subscriptions import Batch, Subscription
from backend.core import queue
from backend.core.database import db
from backend.core.logging import get_logger
from backend.services.live import cursors, passing, queries
from backend.services.live.cursors import Snapshot
from backend.services.live.queries import Change, Reading

log = get_logger(__name__)

LOOK_SECONDS: Final = 1.0
_GATHER: Final = 0.03
_GATHER_EACH: Final = 0.001
_MAX_GATHER: Final = 0.7


class Hub:
    """Reads live events and hands them to subscriptions. Made and used on the event loop."""

    def __init__(self, app_context: Callable[[], AbstractContextManager[object]]) -> None:
        self._app_context = app_context
        self._loop = asyncio.get_running_loop()
        self._all: set[Subscription] = set()
        self._joining: deque[Subscription] = deque()
        self._woken = threading.Event()
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None
        self._listener: queue.NudgeListener | None = None
        self._passing: passing.Listener | None = None
        self._reached: Snapshot | None = None
        """What has been read; only the reader's thread touches it."""
        self.cursor: str | None = None
        """The same as clients know it."""

    def __len__(self) -> int:
        return len(self._all)

    def subscriptions(self) -> tuple[Subscription, ...]:
        """All connections."""
        return tuple(self._all)

    def of_person(self, user_id: int) -> int:
        """How many connections a person has here."""
        return sum(subscription.actor.user_id == user_id for subscription in self._all)

    def subscribe(self, subscription: Subscription) -> None:
        """Adds a connection: it hears `ready` (or `reset`) first, then what it has missed, then what happens."""
        self._all.add(subscription)
        self._joining.append(subscription)
        self._start()
        self._woken.set()

    def _start(self) -> None:
        """Starts the reader and what wakes it, each unless it runs; the next connection tries again."""
        try:
            if self._thread is None:
                thread = threading.Thread(target=self._run, name="live", daemon=True)
                thread.start()
                self._thread = thread
            if self._listener is None:
                listener = queue.NudgeListener(self._woken.set, queue.LIVE_CHANNEL)
                listener.start()
                self._listener = listener
            if self._passing is None:
                passer = passing.Listener(self._hear)
                passer.start()
                self._passing = passer
        except RuntimeError as error:
            log.warning("no_thread", error=str(error))

    def unsubscribe(self, subscription: Subscription) -> None:
        """Takes a connection out."""
        self._all.discard(subscription)

    def end_all(self, reason: str) -> None:
        """Ends every connection."""
        for subscription in tuple(self._all):
            subscription.end(reason)

    def stop(self) -> None:
        """Ends the reader."""
        self._stopped.set()
        self._woken.set()
        for listener in (self._listener, self._passing):
            if listener is not None:
                listener.stop()

    # --- the reader's thread ---

    def _run(self) -> None:
        while not self._stopped.is_set():
            self._woken.wait(LOOK_SECONDS)
            self._woken.clear()
            # Taken before looking: a snapshot that is taken now includes whatever they have heard of.
            joining = [self._joining.popleft() for _ in range(len(self._joining))]
            if self._stopped.is_set():
                return
            try:
                self._turn(joining)
            except (DBAPIError, PoolTimeout) as error:
                log.warning("database_away", error=type(error).__name__)
                self._joining.extend(joining)
                self._stopped.wait(LOOK_SECONDS)
                continue
            except Exception as error:
                # A defect must not silence everybody for good: they are told to look again, and it is tried again.
                log.exception("live_defect", error=type(error).__name__)
                self._reached = None
                self._joining.extend(joining)
                self._stopped.wait(LOOK_SECONDS)
                continue
            self._stopped.wait(min(_GATHER + _GATHER_EACH * len(self._all), _MAX_GATHER))

    def _turn(self, joining: Sequence[Subscription]) -> None:
        if not self._all:
            # Nobody listens: nothing is read, and whoever comes first begins again.
            self._reached = None
            return
        with self._app_context():
            try:
                if self._reached is None:
                    reading = Reading(queries.now(), None, "unknown")
                else:
                    reading = queries.since(self._reached)
                missed = [(subscription, self._missed(subscription, reading.snapshot)) for subscription in joining]
            finally:
                db.session.rollback()
        self._reached = reading.snapshot
        self._loop.call_soon_threadsafe(self._hand_out, reading, missed)

    def _missed(self, subscription: Subscription, until: Snapshot) -> Reading | None:
        if subscription.lost:
            return Reading(until, None, "unknown")
        return (
            None
            if subscription.since is None
            else queries.resume(subscription.actor.workspace_id, subscription.since, until)
        )

    def _hear(self, changes: Sequence[Change]) -> None:
        """What passes by, in a thread of its own."""
        self._loop.call_soon_threadsafe(self._pass_on, changes)

    # --- back on the loop ---

    def _pass_on(self, changes: Sequence[Change]) -> None:
        """Hands over what passes by; it moves nobody's cursor."""
        for subscription in self._all:
            heard = [change for change in changes if subscription.hears(change)]
            if subscription.ready and heard:
                subscription.put(Batch("change", None, heard))

    def _hand_out(self, reading: Reading, missed: Sequence[tuple[Subscription, Reading | None]]) -> None:
        cursor = self.cursor = cursors.encode(reading.snapshot)
        batches: dict[tuple[int, int, frozenset[str]], Batch | None] = {}
        for subscription in self._all:
            if not subscription.ready:
                continue
            key = (subscription.actor.workspace_id, subscription.actor.user_id, subscription.topics)
            if key not in batches:
                batches[key] = _batch(subscription, reading, cursor)
            batch = batches[key]
            if batch is not None:
                subscription.put(batch)
        for subscription, missed_reading in missed:
            subscription.ready = True
            subscription.put(Batch("ready", None if missed_reading is not None else cursor))
            if missed_reading is not None:
                subscription.put(_batch(subscription, missed_reading, cursor) or Batch("alive", cursor))


def _batch(subscription: Subscription, reading: Reading, cursor: str) -> Batch | None:
    """The batch of a reading for one subscription; None where nothing concerns it."""
    if reading.changes is None:
        return Batch("reset", cursor, reason=reading.reason)
    changes: list[Change] = [change for change in reading.changes if subscription.hears(change)]
    return Batch("change", cursor, changes) if changes else None
