"""Pace: when a sender and a chat may next be used. Pure functions and a small memory of the lease holder.

All readings are of one monotonic clock, in seconds. A sender's rate is kept by even spacing, because the provider
counts arrivals in a sliding window and a burst that is jittered in the network may straddle two of ours. A chat's rates
are kept as windows over the moments at which the provider had answered: never earlier than it counted.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from backend.channels.base import Rate

_SPACING = 1.02
"""29.4 a second for a limit of 30: measured to meet a strict sliding window where 29.7 does not."""
_CATCH_UP = 0.3
"""How many seconds of starts that were missed may be made up for."""


def spacing(rates: Sequence[Rate]) -> float:
    """Seconds between two operations that keep all of these rates."""
    return max((rate.seconds / rate.count * _SPACING for rate in rates), default=0.0)


def window_opens(history: Iterable[float], rates: Sequence[Rate], now: float) -> float:
    """The earliest moment ≥ `now` at which one more operation keeps all `rates`, after those in `history`."""
    past = sorted(history)
    opens = now
    for rate in rates:
        if len(past) >= rate.count:
            opens = max(opens, past[-rate.count] + rate.seconds)
    return opens


def slots(history: Iterable[float], rates: Sequence[Rate], start: float, count: int) -> list[float]:
    """The earliest moments at which the next `count` operations of a chat could go, each counted for those after it.

    Earliest on purpose: an operation counts only when it is answered, so a chat never opens before its next slot, and
    the row that is first in line is always due by then. A later slot would let a newer message overtake it.
    """
    known = deque(sorted(history), maxlen=max((rate.count for rate in rates), default=1))
    found: list[float] = []
    moment = start
    for _ in range(count):
        for rate in rates:
            if len(known) >= rate.count:
                moment = max(moment, known[-rate.count] + rate.seconds)
        found.append(moment)
        known.append(moment)
    return found


@dataclass(slots=True)
class ChatPace:
    """What is remembered of one chat."""

    rates: tuple[Rate, ...]
    history: deque[float] = field(default_factory=deque)
    rests_until: float = 0.0

    def opens(self, now: float) -> float:
        """When the chat may be used next."""
        return max(self.rests_until, window_opens(self.history, self.rates, now))

    def used(self, at: float) -> None:
        """Counts an operation that the provider had answered by `at`."""
        self.history.append(at)
        longest = max((rate.seconds for rate in self.rates), default=0.0)
        while self.history and self.history[0] < at - longest:
            self.history.popleft()


class SenderPace:
    """The pace of one sender under lease: its own rates and the chats it lately used.

    Starts are spaced evenly. A turn of the loop that came late may catch up a little, but never beyond what the rates
    allow in a sliding window over the starts themselves.
    """

    def __init__(self, rates: Sequence[Rate]) -> None:
        self._spacing = spacing(rates)
        self._rates = tuple(Rate(rate.count, rate.seconds * _SPACING) for rate in rates)
        self._starts: deque[float] = deque(maxlen=max((rate.count for rate in rates), default=1))
        self._next = 0.0
        self._rests_until = 0.0
        self._chats: dict[int, ChatPace] = {}
        self._failures = 0

    def budget(self, now: float, most: int) -> int:
        """How many operations may start now, at most `most`."""
        if now < self._rests_until:
            return 0
        if self._spacing == 0.0:
            return most
        owed = int((now - max(self._next, now - _CATCH_UP)) / self._spacing) + 1 if now >= self._next else 0
        return min(most, owed, self._window_leaves(now))

    def opens(self, now: float) -> float:
        """When the sender's next operation may start."""
        if self._spacing == 0.0:
            return max(now, self._rests_until)
        return max(now, self._next, self._rests_until, window_opens(self._starts, self._rates, now))

    def started(self, now: float) -> None:
        """Counts an operation that starts now."""
        self._next = max(self._next, now - _CATCH_UP) + self._spacing
        self._starts.append(now)

    def _window_leaves(self, now: float) -> int:
        used = ((rate, sum(start > now - rate.seconds for start in self._starts)) for rate in self._rates)
        return max(0, min(rate.count - count for rate, count in used))

    def rest(self, until: float) -> None:
        """Nothing before `until`."""
        self._rests_until = max(self._rests_until, until)

    def chat(self, chat_key: int, rates: tuple[Rate, ...]) -> ChatPace:
        """The memory of one chat, made when it is first used."""
        found = self._chats.get(chat_key)
        if found is None:
            found = self._chats[chat_key] = ChatPace(rates)
        return found

    def known(self, chat_key: int) -> ChatPace | None:
        """The memory of a chat, if there is any."""
        return self._chats.get(chat_key)

    def cooling(self, now: float) -> dict[int, float]:
        """The chats that may not be used now, with the moment they may; forgets those that long could."""
        waiting: dict[int, float] = {}
        for chat_key, pace in list(self._chats.items()):
            opens = pace.opens(now)
            if opens > now:
                waiting[chat_key] = opens
            elif not pace.history or now - pace.history[-1] > 61:
                del self._chats[chat_key]
        return waiting

    def failed(self) -> int:
        """Counts a failure to reach the provider at all; returns how many came in a row."""
        self._failures += 1
        return self._failures

    def answered(self) -> None:
        """The provider answered: it can be reached."""
        self._failures = 0
