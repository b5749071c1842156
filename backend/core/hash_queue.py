"""Places for what costs a core for a while: few are at work at once, few wait, everybody else is told to come back.

A request that hashes a password keeps its thread of the web process. So the places are fewer than those threads, and
those at work fewer than the cores: other requests wait for neither.
"""

from __future__ import annotations

import os
import threading
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from backend.core.errors import TooManyRequests, Unavailable

PATIENCE_SECONDS: Final = 5.0
_BUSY: Final = "Very many people are signing in at this moment; try again in a moment."


@dataclass(frozen=True, slots=True)
class Size:
    """How many hash at once, how many places there are with those that wait, and how many one caller may have."""

    at_once: int
    places: int
    per_caller: int


def size_for(web_threads: int, cores: int) -> Size:
    """Half the cores compute, and a quarter of the threads is always left for other requests."""
    places = max(1, web_threads * 3 // 4)
    return Size(min(max(1, cores // 2), places), places, max(1, places // 2))


class HashQueue:
    """A bounded queue; thread-safe. Callers that are preferred have a place in reserve, and go first."""

    def __init__(self, size: Size, *, patience: float = PATIENCE_SECONDS) -> None:
        self._size = size
        self._patience = patience
        self._lock = threading.Lock()
        self._at_work = 0
        self._waiting: deque[threading.Event] = deque()
        self._preferred: deque[threading.Event] = deque()
        self._held: Counter[str] = Counter()

    @contextmanager
    def place(self, caller: str | None = None, *, preferred: bool = False) -> Iterator[None]:
        """A place, once it is this one's turn. `caller` is whose bound counts; nobody's for None.

        Raises TooManyRequests (this caller has as many as it may have), Unavailable (all are taken, or the turn did not
        come in time); both say when to come back.
        """
        ticket = self._enter(caller, preferred)
        try:
            if ticket is not None and not ticket.wait(self._patience) and self._give_up(ticket):
                raise Unavailable("sign_in_busy", _BUSY, retry_after=2)
            try:
                yield
            finally:
                self._pass_on()
        finally:
            self._leave(caller)

    def check(self, caller: str | None = None) -> None:
        """Raises what `place` would at once raise, for somebody who is not preferred; takes nothing.

        For before the look-ups of a request: in a flood most of it is turned away by this alone.
        """
        with self._lock:
            self._refuse_if_full(caller, False)

    def _refuse_if_full(self, caller: str | None, preferred: bool) -> None:
        occupied = self._at_work + len(self._waiting) + len(self._preferred)
        reserved = 0 if preferred or self._size.places == 1 else 1
        if caller is not None and not preferred and self._held[caller] >= self._size.per_caller:
            raise TooManyRequests(retry_after=1)
        if occupied >= self._size.places - reserved:
            raise Unavailable("sign_in_busy", _BUSY, retry_after=1)

    def _enter(self, caller: str | None, preferred: bool) -> threading.Event | None:
        """Takes a place. None when it is this one's turn at once."""
        with self._lock:
            self._refuse_if_full(caller, preferred)
            if caller is not None:
                self._held[caller] += 1
            if self._at_work < self._size.at_once:
                self._at_work += 1
                return None
            ticket = threading.Event()
            (self._preferred if preferred else self._waiting).append(ticket)
            return ticket

    def _give_up(self, ticket: threading.Event) -> bool:
        """Takes a ticket out of the queue. False when its turn has come in this very moment."""
        with self._lock:
            for queue in (self._preferred, self._waiting):
                if ticket in queue:
                    queue.remove(ticket)
                    return True
        return False

    def _pass_on(self) -> None:
        with self._lock:
            queue = self._preferred or self._waiting
            if queue:
                queue.popleft().set()
            else:
                self._at_work -= 1

    def _leave(self, caller: str | None) -> None:
        if caller is None:
            return
        with self._lock:
            self._held[caller] -= 1
            if self._held[caller] <= 0:
                del self._held[caller]


_current: HashQueue | None = None


def current() -> HashQueue:
    """The queue of this process."""
    global _current
    if _current is None:
        configure(8)
        assert _current is not None
    return _current


def configure(web_threads: int) -> None:
    """Makes the queue of a process with so many web threads."""
    use(HashQueue(size_for(web_threads, _cores())))


def use(queue: HashQueue | None) -> None:
    """Makes this the queue of the process; None goes back to the default. For tests."""
    global _current
    _current = queue


def _cores() -> int:
    # What this process may use, which in a container is less than the machine has.
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity is not None else os.cpu_count() or 1
