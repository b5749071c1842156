"""The executor: threads that carry out claimed operations, each at its slot, at most so many at once.

A thread that has finished takes the next operation itself. A sender may have a little more claimed than it has
connections, as much as is begun within a moment at the speed its provider lately answered; so connections do not idle
while the next claim commits. One that hangs gets no such surplus and never every thread.
"""

from __future__ import annotations

import heapq
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Protocol

from backend.core.logging import get_logger
from backend.services.dispatch.claims import Claimed
from backend.services.dispatch.pace import SendSlot
from backend.services.dispatch.transmission import SenderSession

log = get_logger(__name__)
_SURPLUS_SECONDS = 0.05
_STALE_SECONDS = 1.0
_LOOK_SECONDS = 0.5
_MEMORY = 0.2
"""The weight of the newest answer in a sender's remembered speed."""


@dataclass(frozen=True, slots=True)
class Planned:
    """A claimed operation with its slot."""

    session: SenderSession
    row: Claimed
    slot: SendSlot


@dataclass(slots=True)
class _Use:
    """One sender's use of the threads: what is planned, ready and running, and how fast its provider answers."""

    ready: deque[Planned] = field(default_factory=deque)
    planned: int = 0
    running: int = 0
    seconds: float | None = None

    @property
    def outstanding(self) -> int:
        return self.planned + len(self.ready) + self.running

    def surplus(self, connections: int) -> int:
        """How much more than the connections can carry may wait: what they begin within a moment."""
        if self.seconds is None:
            return 0
        return int(connections * min(1.0, _SURPLUS_SECONDS / max(self.seconds, 0.001)))


class Executor(Protocol):
    """Carries out planned operations; see `TimedExecutor`, which is the one for requests over connections."""

    broken: bool

    def start(self) -> None:
        """Starts it."""

    def finish(self) -> None:
        """Carries out what it was given, and ends."""

    def share(self, shared: bool) -> None:
        """Notes whether several senders are served."""

    def room(self, sender_id: int) -> int:
        """How many more operations of this sender may be claimed now."""

    def request_room(self, sender_ids: Iterable[int]) -> bool:
        """Asks to be called when one of these may have more claimed; True when that is so already."""

    def forget(self, sender_id: int) -> None:
        """Forgets a sender that is no longer served."""

    def put(self, planned: list[Planned]) -> None:
        """Takes operations with their moments."""


ExecutorFactory = Callable[
    [int, Callable[[Planned], None], Callable[[Planned], None], Callable[[], None]],
    Executor,
]
"""Makes an executor: how many at once, what carries one out, what takes one back, what to call when there is room."""


class TimedExecutor:
    """Carries out planned operations with `work` on `connections` threads.

    `give_back` gets what could not be begun in time: certainly nothing of it was written. `on_room` is called from any
    thread when there is room again after `request_room`.
    """

    def __init__(
        self,
        connections: int,
        work: Callable[[Planned], None],
        requeue: Callable[[Planned], None],
        on_room: Callable[[], None],
    ) -> None:
        self._connections = connections
        self._work = work
        self._requeue = requeue
        self._on_room = on_room
        self._lock = threading.Lock()
        self._some_ready = threading.Condition(self._lock)
        self._some_planned = threading.Condition(self._lock)
        self._heap: list[tuple[float, int, Planned]] = []
        self._order: deque[int] = deque()
        self._uses: dict[int, _Use] = {}
        self._running = 0
        self._count = 0
        self._shared = False
        self._room_requested = False
        self._finishing = False
        self.broken = False
        """Whether a thread ended by a defect."""
        self._threads = [threading.Thread(target=self._guarded, args=(self._keep_time,), name="start")]
        self._threads += [
            threading.Thread(target=self._guarded, args=(self._carry_out,), name=f"send-{number}")
            for number in range(connections)
        ]

    def start(self) -> None:
        """Starts the threads."""
        for thread in self._threads:
            thread.start()

    def finish(self) -> None:
        """Carries out what was given, then ends the threads."""
        with self._lock:
            self._finishing = True
            self._some_planned.notify_all()
            self._some_ready.notify_all()
        for thread in self._threads:
            thread.join()

    def share(self, shared: bool) -> None:
        """Notes whether several senders are served: then none of them may use every thread."""
        with self._lock:
            self._shared = shared

    def room(self, sender_id: int) -> int:
        """How many more operations of this sender may be claimed now."""
        with self._lock:
            use = self._uses.get(sender_id) or _Use()
            own = self._most() + use.surplus(self._most()) - use.outstanding
            total = (
                self._connections
                + use.surplus(self._connections)
                - sum(use_of_sender.outstanding for use_of_sender in self._uses.values())
            )
            return max(0, min(own, total))

    def request_room(self, sender_ids: Iterable[int]) -> bool:
        """Has `on_room` called when one of these senders may have more claimed; True when that is so already."""
        with self._lock:
            if any(self._is_low(self._uses.get(sender_id) or _Use()) for sender_id in sender_ids):
                return True
            self._room_requested = True
            return False

    def forget(self, sender_id: int) -> None:
        """Forgets a sender that is no longer served, unless something of it is still under way."""
        with self._lock:
            use = self._uses.get(sender_id)
            if use is not None and use.outstanding == 0:
                del self._uses[sender_id]
                self._order.remove(sender_id)

    def put(self, planned: list[Planned]) -> None:
        """Takes operations; each is begun at its moment, or as soon as a connection is free after it."""
        now = time.monotonic()
        with self._lock:
            for operation in planned:
                use = self._use(operation.row.sender_id)
                if operation.slot.planned <= now:
                    use.ready.append(operation)
                    self._some_ready.notify()
                else:
                    use.planned += 1
                    self._count += 1
                    heapq.heappush(self._heap, (operation.slot.planned, self._count, operation))
            self._some_planned.notify()

    def _use(self, sender_id: int) -> _Use:
        use = self._uses.get(sender_id)
        if use is None:
            use = self._uses[sender_id] = _Use()
            self._order.append(sender_id)
        return use

    def _is_low(self, use: _Use) -> bool:
        """Whether so little of a sender waits that the next claim should be under way."""
        surplus = use.surplus(self._most())
        return len(use.ready) <= surplus // 2 and use.outstanding < self._most() + surplus

    def _most(self) -> int:
        """How many threads one sender may use."""
        return max(1, self._connections * 3 // 4) if self._shared else self._connections

    def _guarded(self, run: Callable[[], None]) -> None:
        try:
            run()
        except BaseException:
            self.broken = True
            self._on_room()
            raise

    # --- the thread that keeps time ---

    def _keep_time(self) -> None:
        looked = time.monotonic()
        while True:
            with self._lock:
                now = time.monotonic()
                self._release(now)
                if self._finishing and not self._heap:
                    self._some_ready.notify_all()
                    return
                wait = min(_LOOK_SECONDS, self._heap[0][0] - now) if self._heap else _LOOK_SECONDS
                self._some_planned.wait(wait)
                stale = self._stale() if time.monotonic() - looked >= _LOOK_SECONDS else []
            if stale or time.monotonic() - looked >= _LOOK_SECONDS:
                looked = time.monotonic()
            for operation in stale:
                self._requeue(operation)
            if stale:
                self._on_room()

    def _release(self, now: float) -> None:
        while self._heap and self._heap[0][0] <= now:
            operation = heapq.heappop(self._heap)[2]
            use = self._uses[operation.row.sender_id]
            use.planned -= 1
            use.ready.append(operation)
            self._some_ready.notify()

    def _stale(self) -> list[Planned]:
        """Removes and returns the operations that waited too long for a connection."""
        before = time.monotonic() - _STALE_SECONDS
        stale: list[Planned] = []
        for use in self._uses.values():
            while use.ready and use.ready[0].slot.planned < before:
                stale.append(use.ready.popleft())
        return stale

    # --- the threads that speak to providers ---

    def _carry_out(self) -> None:
        while True:
            with self._lock:
                while (operation := self._next()) is None:
                    if self._finishing and not self._heap and not any(use.ready for use in self._uses.values()):
                        self._some_ready.notify_all()
                        return
                    self._some_ready.wait()
            begun = time.monotonic()
            self._work(operation)
            self._done(operation, time.monotonic() - begun)

    def _next(self) -> Planned | None:
        """The next operation whose sender may use one more thread; senders take turns."""
        most = self._most()
        for _ in range(len(self._order)):
            sender_id = self._order[0]
            self._order.rotate(-1)
            use = self._uses[sender_id]
            if use.ready and use.running < most:
                use.running += 1
                return use.ready.popleft()
        return None

    def _done(self, operation: Planned, seconds: float) -> None:
        with self._lock:
            use = self._uses[operation.row.sender_id]
            use.running -= 1
            average = use.seconds
            use.seconds = seconds if average is None else average + (seconds - average) * _MEMORY
            has_room = self._room_requested and self._is_low(use)
            if has_room:
                self._room_requested = False
        if has_room:
            self._on_room()
