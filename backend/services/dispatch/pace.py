"""Pace: when a sender and a chat may next be used. Pure functions and a small memory of the lease holder.

All readings are of one monotonic clock, in seconds. A sender's operations get moments of their own, spaced evenly; what
keeps its rates is a window over the moments at which earlier ones were really written, not over the plan: an operation
that came late moves the one that follows it a whole window later, so lateness never adds up to a burst. A chat's rates
are kept as windows over the moments at which the provider had answered: never earlier than it counted.
"""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from backend.channels.base import Rate

HORIZON = 0.1
"""Seconds ahead for which operations get their moments: what is claimed is written within that time."""
_MARGIN = 0.02
"""Seconds by which a sender's window is longer than the provider's: the way there takes not always the same time."""
_MAX_MARGIN = 0.1
_MEMORY_SECONDS = 61.0
_CATCH_UP = 0.3
"""How many seconds of missed moments may be made up for, at most at double speed and never beyond the window."""


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
    past = deque(sorted(history), maxlen=max((rate.count for rate in rates), default=1))
    moments: list[float] = []
    moment = start
    for _ in range(count):
        for rate in rates:
            if len(past) >= rate.count:
                moment = max(moment, past[-rate.count] + rate.seconds)
        moments.append(moment)
        past.append(moment)
    return moments


@dataclass(slots=True)
class ChatPace:
    """The rates and recent operations of one chat."""

    rates: tuple[Rate, ...]
    history: deque[float] = field(default_factory=deque)
    paused_until: float = 0.0
    used_at: float = 0.0

    def opens(self, now: float) -> float:
        """When the chat may be used next."""
        return max(self.paused_until, window_opens(self.history, self.rates, now))

    def used(self, at: float) -> None:
        """Counts an operation that the provider had answered by `at`."""
        self.used_at = at
        self.history.append(at)
        longest = max((rate.seconds for rate in self.rates), default=0.0)
        while self.history and self.history[0] < at - longest:
            self.history.popleft()


@dataclass(slots=True, eq=False)
class SendSlot:
    """One operation's moment, and when it was really written, as soon as that is known."""

    planned: float
    written: float | None = None

    def counted(self, now: float) -> float:
        """The moment that counts in a window: one that is not written yet is written now at the earliest."""
        return max(self.planned, now) if self.written is None else self.written


class SenderPace:
    """The pace of one sender under lease: its own rates and the chats it lately used."""

    def __init__(self, rates: Sequence[Rate]) -> None:
        self._rates = tuple(rates)
        self._spacing = max((rate.seconds / rate.count for rate in rates), default=0.0)
        self._starts: deque[SendSlot] = deque(maxlen=max((rate.count for rate in rates), default=1))
        self._margin = _MARGIN
        self._next = 0.0
        self._paused_until = 0.0
        self._chats: OrderedDict[int, ChatPace] = OrderedDict()
        """In the order of their last use."""
        self._throttled: dict[int, float] = {}
        """The few that may not be used now: all chats are too many to inspect in each turn."""
        self._lock = threading.Lock()
        self._failures = 0

    def next_slots(self, now: float, most: int, *, within: float = HORIZON) -> list[float]:
        """The next moments at which operations may be written, at most `most`, none later than `within` from now."""
        opens = max(now, self._paused_until)
        if opens > now + within:
            return []
        if not self._rates:
            return [opens] * most
        past = [start.counted(now) for start in self._starts]
        last = self._starts[-1].planned if self._starts else opens - self._spacing
        following = self._next
        slots: list[float] = []
        while len(slots) < most:
            following = max(following, now - _CATCH_UP)
            at = max(opens, following, last + self._spacing / 2, self._leaves(past))
            if at > now + within:
                break
            slots.append(at)
            past.append(at)
            last = at
            following += self._spacing
        return slots

    def opens(self, now: float) -> float:
        """When the sender's next operation may be written."""
        return self.next_slots(now, 1, within=float("inf"))[0]

    def take(self, moments: Sequence[float], now: float) -> list[SendSlot]:
        """Reserves moments that `next_slots` gave, in their order."""
        slots = [SendSlot(moment) for moment in moments]
        self._starts.extend(slots)
        self._next = max(self._next, now - _CATCH_UP) + self._spacing * len(slots)
        return slots

    def remember(self, written: Iterable[float]) -> None:
        """Counts operations that an earlier holder of the lease wrote, at the latest at these moments."""
        self._starts.extend(SendSlot(moment, moment) for moment in sorted(written))

    def pause(self, until: float) -> None:
        """Allows nothing before `until`."""
        self._paused_until = max(self._paused_until, until)

    def pause_left(self, now: float) -> float:
        """Seconds for which nothing may be written, 0 where something may."""
        return max(0.0, self._paused_until - now)

    def used(self, chat_key: int, rates: tuple[Rate, ...], at: float, *, pause: float = 0.0) -> None:
        """Counts an operation in a chat, answered by `at`; the provider asked for `pause` seconds of quiet there."""
        with self._lock:
            chat = self._chats.setdefault(chat_key, ChatPace(rates))
            self._chats.move_to_end(chat_key)
            chat.used(at)
            if pause > 0:
                chat.paused_until = at + pause
            opens = chat.opens(at)
            if opens > at:
                self._throttled[chat_key] = opens

    def known(self, chat_key: int) -> ChatPace | None:
        """The memory of a chat, if there is any."""
        return self._chats.get(chat_key)

    def throttled_chats(self, now: float) -> dict[int, float]:
        """The chats that may not be used now, with the moment they may; forgets those that long could."""
        with self._lock:
            for chat_key in [chat_key for chat_key, opens in self._throttled.items() if opens <= now]:
                del self._throttled[chat_key]
            while self._chats:
                oldest = next(iter(self._chats))
                if oldest in self._throttled or now - self._chats[oldest].used_at <= _MEMORY_SECONDS:
                    break
                del self._chats[oldest]
            return dict(self._throttled)

    def failed(self) -> int:
        """Counts a failure to reach the provider at all; returns how many came in a row."""
        self._failures += 1
        return self._failures

    def answered(self) -> None:
        """Resets the count of failures: the provider answered."""
        self._failures = 0

    def refused(self) -> None:
        """Widens the margin: the provider counted more operations in a window than we did."""
        self._margin = min(_MAX_MARGIN, self._margin * 1.5)

    def _leaves(self, past: Sequence[float]) -> float:
        """When the windows over `past`, which is in order of writing, let one more in."""
        full = [rate for rate in self._rates if len(past) >= rate.count]
        return max((past[-rate.count] + rate.seconds + self._margin for rate in full), default=float("-inf"))
