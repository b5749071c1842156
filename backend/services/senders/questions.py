"""Questions to a provider that a web request waits for: few at once, in threads of their own, none to one that hangs.

A person who opens a page must not cost the others theirs. So an answer is good for half a minute to those who look,
at most a quarter of the web threads wait, a provider or account that does not answer is left alone for a while, and an
account's own pause is kept. What is not asked says so (`NotAsked`), with what was last known.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal

from backend.channels.errors import ChannelError, OutcomeUnknown, RetryLater
from backend.core import clock

KEPT_SECONDS: Final = 30.0
"""How long an answer is good."""
MAX_AT_ONCE: Final = 4
MAX_OF_AN_ACCOUNT: Final = 2
SLOW_SECONDS: Final = 2.0
"""A failure that took longer than this was a hang, and one of those is enough."""
FIRST_REST: Final = 15.0
LONGEST_REST: Final = 120.0
MAX_REMEMBERED: Final = 1000
_ACCOUNT_FAILURES: Final = 3
_PROVIDER_FAILURES: Final = 6
_PER_SECOND: Final = 20.0
_BURST: Final = 30.0
_BUSY_SECONDS: Final = 2.0

Reason = Literal["resting", "busy", "paused", "too_fast"]
Waiting = Literal["looks", "acts"]
_waiting: ContextVar[Waiting | None] = ContextVar("waiting", default=None)


@dataclass(frozen=True, slots=True)
class Known:
    """A good answer and when it came."""

    value: Any
    at: datetime


class NotAsked(RetryLater):
    """The provider was not asked, for `reason`; it may be again in `seconds`. `last` is its last good answer."""

    def __init__(self, seconds: float, reason: Reason, last: Known | None = None) -> None:
        super().__init__(max(seconds, 1.0), "not_asked", detail=reason)
        self.reason: Reason = reason
        self.last = last


def begin_request(who: Waiting) -> None:
    """Notes that this thread works from here on for somebody who waits, and reads something or presses something."""
    _waiting.set(who)


def end_request() -> None:
    """Notes that the web request of this thread is over."""
    _waiting.set(None)


def who_waits() -> Waiting | None:
    """The kind of request that this thread works for; None outside of web requests."""
    return _waiting.get()


@dataclass(slots=True)
class _Breaker:
    """A circuit breaker of one account or of the whole provider. Times in unix seconds."""

    limit: int
    failures: int = 0
    rest: float = FIRST_REST
    opened: float = 0.0
    until: float = 0.0

    def closed_for(self, now: float) -> float:
        """Seconds for which nothing is asked; 0 where something may. A clock that was set back does not prolong it."""
        return self.until - now if self.opened <= now < self.until else 0.0

    def take(self, now: float) -> None:
        """Lets one question through; after failures it goes alone, and the others wait for its outcome."""
        if self.failures >= self.limit:
            self.opened, self.until = now, now + self.rest

    def succeeded(self) -> None:
        self.failures, self.rest, self.until = 0, FIRST_REST, 0.0

    def failed(self, now: float, weight: int) -> None:
        is_open = self.failures >= self.limit
        self.failures += weight
        if self.failures >= self.limit:
            self.rest = min(self.rest * 2, LONGEST_REST) if is_open else FIRST_REST
            self.opened, self.until = now, now + self.rest

    def pause(self, now: float, seconds: float) -> None:
        self.opened, self.until = now, max(self.until, now + seconds)


@dataclass(slots=True)
class _Account:
    breaker: _Breaker = field(default_factory=lambda: _Breaker(_ACCOUNT_FAILURES))
    running: int = 0
    left: float = _BURST
    counted: float = 0.0

    def short_of(self, now: float) -> float:
        """Returns the seconds until the account's pace allows one more question, and counts it where that is 0."""
        passed = max(0.0, now - self.counted)
        self.left, self.counted = min(_BURST, self.left + passed * _PER_SECOND), now
        if self.left < 1.0:
            return (1.0 - self.left) / _PER_SECOND
        self.left -= 1.0
        return 0.0


@dataclass(slots=True, eq=False)
class _Flight:
    """A question under way; those who ask the same wait for the same answer."""

    done: threading.Event = field(default_factory=threading.Event)
    value: Any = None
    error: Exception | None = None


class Questions:
    """The questions of one process to one provider, at most `most` under way, and as many threads that wait."""

    def __init__(self, most: int = MAX_AT_ONCE) -> None:
        self._most = max(1, min(most, MAX_AT_ONCE))
        self._lock = threading.Lock()
        self._provider = _Breaker(_PROVIDER_FAILURES)
        self._accounts: OrderedDict[bytes, _Account] = OrderedDict()
        self._known: OrderedDict[tuple[bytes, Hashable], Known] = OrderedDict()
        self._flights: dict[tuple[bytes, Hashable], _Flight] = {}
        self._running = 0
        self._waiting = 0

    def ask(
        self,
        account: bytes,
        question: Hashable,
        call: Callable[[], Any],
        *,
        patience: float,
        kept: float = KEPT_SECONDS,
        changes: bool = False,
        paused: Callable[[], float] = lambda: 0.0,
    ) -> Any:
        """The answer to an account's question: one that is at most `kept` seconds old, or `call`'s, in a thread of its
        own. The account is known by its token's hash.

        Waits `patience` seconds at most; the call may go on after that, and its answer is kept. `paused` says for how
        many seconds the provider has asked the account to be quiet; it is asked only where the provider would be. What
        `changes` something is never shared, and what was known of the account is forgotten after it.

        Raises NotAsked, and what `call` raises; OutcomeUnknown(`read_timeout`) where no answer came in time.
        """
        name = (account, question)
        with self._lock:
            last_answer = self._known.get(name)
        if last_answer is not None and not changes and 0 <= (clock.now() - last_answer.at).total_seconds() < kept:
            return last_answer.value
        quiet = paused()
        if quiet > 0:
            raise NotAsked(quiet, "paused", last_answer)
        flight = self._begin(name, call, last_answer, changes=changes)
        try:
            if not flight.done.wait(patience):
                self._hangs(account)
                raise OutcomeUnknown("read_timeout")
        finally:
            with self._lock:
                self._waiting -= 1
        if flight.error is not None:
            # A copy: an error that several threads raise would gather all their tracebacks.
            raise flight.error.with_traceback(None)
        return flight.value

    def _begin(
        self, name: tuple[bytes, Hashable], call: Callable[[], Any], known: Known | None, *, changes: bool
    ) -> _Flight:
        now = clock.unix()
        with self._lock:
            if self._waiting >= self._most:
                raise NotAsked(_BUSY_SECONDS, "busy", known)
            # Also before joining: a question that has hung for long may still be under way.
            rests = max(self._account(name[0]).breaker.closed_for(now), self._provider.closed_for(now))
            if rests > 0:
                raise NotAsked(rests, "resting", known)
            shared = None if changes else self._flights.get(name)
            if shared is None:
                shared = self._start(name, call, known, now, changes)
            self._waiting += 1
            return shared

    def _start(
        self, name: tuple[bytes, Hashable], call: Callable[[], Any], known: Known | None, now: float, changes: bool
    ) -> _Flight:
        account = self._account(name[0])
        if self._running >= self._most or account.running >= min(MAX_OF_AN_ACCOUNT, self._most):
            raise NotAsked(_BUSY_SECONDS, "busy", known)
        if (short := account.short_of(now)) > 0:
            raise NotAsked(short, "too_fast", known)
        flight = _Flight()
        work = threading.Thread(
            target=self._carry_out, args=(name, call, flight, changes), name="provider-question", daemon=True
        )
        try:
            work.start()
        except RuntimeError:
            raise NotAsked(_BUSY_SECONDS, "busy", known) from None
        account.breaker.take(now)
        self._provider.take(now)
        account.running += 1
        self._running += 1
        if not changes:
            self._flights[name] = flight
        return flight

    def _account(self, key: bytes) -> _Account:
        account = self._accounts.get(key)
        if account is None:
            account = self._accounts[key] = _Account(counted=clock.unix())
        self._accounts.move_to_end(key)
        while len(self._accounts) > MAX_REMEMBERED:
            self._accounts.popitem(last=False)
        return account

    # --- the question's thread ---

    def _carry_out(self, name: tuple[bytes, Hashable], call: Callable[[], Any], flight: _Flight, changes: bool) -> None:
        began = time.monotonic()
        try:
            flight.value = call()
        except Exception as error:  # noqa: BLE001 - it is raised by whoever asked
            flight.error = error
        try:
            self._settle(name, flight, time.monotonic() - began, changes)
        finally:
            flight.done.set()

    def _settle(self, name: tuple[bytes, Hashable], flight: _Flight, seconds: float, changes: bool) -> None:
        with self._lock:
            account = self._account(name[0])
            account.running = max(0, account.running - 1)
            self._running -= 1
            if self._flights.get(name) is flight:
                del self._flights[name]
            self._judge(account, flight.error, seconds)
            if changes:
                for key in [key for key in self._known if key[0] == name[0]]:
                    del self._known[key]
            elif flight.error is None:
                self._known[name] = Known(flight.value, clock.now())
                self._known.move_to_end(name)
                while len(self._known) > MAX_REMEMBERED:
                    self._known.popitem(last=False)

    def _judge(self, account: _Account, error: Exception | None, seconds: float) -> None:
        now = clock.unix()
        if isinstance(error, RetryLater) and error.code == "rate_limited":
            account.breaker.pause(now, error.seconds)
        elif isinstance(error, RetryLater | OutcomeUnknown):
            hung = seconds >= SLOW_SECONDS
            account.breaker.failed(now, _ACCOUNT_FAILURES if hung else 1)
            self._provider.failed(now, 2 if hung else 1)
        elif error is None or isinstance(error, ChannelError):
            # A refusal is an answer as well.
            account.breaker.succeeded()
            self._provider.succeeded()

    def _hangs(self, account: bytes) -> None:
        """Counts a question that hangs as a failure of its account, so that no further one is begun."""
        with self._lock:
            self._account(account).breaker.failed(clock.unix(), _ACCOUNT_FAILURES)
