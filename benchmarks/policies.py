"""How a provider limits its callers: each policy says whether a message is accepted at a moment, or how long to wait.

Moments are readings of one monotonic clock in nanoseconds, and never go back. A negative chat id is a group's, as with
Telegram. A refused message leaves no trace, except that it may block its bot.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

SECOND = 1_000_000_000
BOT_RATE = 30
"""Messages a second of one bot."""
CHAT_RATE = 1
"""Messages a second to one chat."""
GROUP_RATE = 20
"""Messages a minute to one group."""


class Policy(Protocol):
    """Judges messages in the order of their arrival."""

    def judge(self, bot: int, chat: int, now: int) -> int:
        """0 for an accepted message, else the whole seconds of `retry_after`."""
        ...


class Unlimited:
    """Accepts everything."""

    def judge(self, bot: int, chat: int, now: int) -> int:
        """Always 0."""
        return 0


class Window:
    """At most `count` in any `span` nanoseconds, both ends counted to the nanosecond."""

    __slots__ = ("count", "span", "times")

    def __init__(self, count: int, span: int) -> None:
        self.count = count
        self.span = span
        self.times: deque[int] = deque(maxlen=count)

    def wait(self, now: int) -> int:
        """Nanoseconds until one more fits; 0 when it fits now."""
        if len(self.times) < self.count:
            return 0
        return max(0, self.times[0] + self.span - now)

    def take(self, now: int) -> None:
        """Counts one."""
        self.times.append(now)


class StrictWindow:
    """The strictest reading of the published limits: sliding windows for the bot, each chat and each group.

    With `blocking`, a bot that went over any of them is refused everything until its `retry_after` has passed.
    """

    def __init__(self, *, blocking: bool = False) -> None:
        self._blocking = blocking
        self._bots: dict[int, Window] = {}
        self._chats: dict[tuple[int, int], tuple[Window, ...]] = {}
        self._blocked: dict[int, int] = {}

    def judge(self, bot: int, chat: int, now: int) -> int:
        """See `Policy`."""
        until = self._blocked.get(bot, 0)
        if until > now:
            return _seconds(until - now)
        windows = (self._bot(bot), *self._chat(bot, chat))
        wait = max(window.wait(now) for window in windows)
        if wait > 0:
            seconds = _seconds(wait)
            if self._blocking:
                self._blocked[bot] = now + seconds * SECOND
            return seconds
        for window in windows:
            window.take(now)
        return 0

    def _bot(self, bot: int) -> Window:
        window = self._bots.get(bot)
        if window is None:
            window = self._bots[bot] = Window(BOT_RATE, SECOND)
        return window

    def _chat(self, bot: int, chat: int) -> tuple[Window, ...]:
        windows = self._chats.get((bot, chat))
        if windows is None:
            windows = (Window(CHAT_RATE, SECOND),)
            if chat < 0:
                windows = (*windows, Window(GROUP_RATE, 60 * SECOND))
            self._chats[(bot, chat)] = windows
        return windows


@dataclass(slots=True)
class Bucket:
    """Tokens that come back evenly, `rate` a second, `size` at most."""

    rate: float
    size: float
    tokens: float
    at: int

    def wait(self, now: int) -> int:
        """Nanoseconds until there is a token; refills first."""
        self.tokens = min(self.size, self.tokens + (now - self.at) / SECOND * self.rate)
        self.at = now
        return 0 if self.tokens >= 1.0 else math.ceil((1.0 - self.tokens) / self.rate * SECOND)


class TokenBucket:
    """A lenient provider: a bucket of a second's messages for each bot, of three for a chat, of twenty for a group."""

    def __init__(self) -> None:
        self._buckets: dict[tuple[int, int | None], Bucket] = {}

    def judge(self, bot: int, chat: int, now: int) -> int:
        """See `Policy`."""
        own = self._bucket(bot, None, BOT_RATE, BOT_RATE, now)
        of_chat = (
            self._bucket(bot, chat, GROUP_RATE / 60, GROUP_RATE, now)
            if chat < 0
            else self._bucket(bot, chat, CHAT_RATE, 3, now)
        )
        wait = max(own.wait(now), of_chat.wait(now))
        if wait > 0:
            return _seconds(wait)
        own.tokens -= 1
        of_chat.tokens -= 1
        return 0

    def _bucket(self, bot: int, chat: int | None, rate: float, size: float, now: int) -> Bucket:
        bucket = self._buckets.get((bot, chat))
        if bucket is None:
            bucket = self._buckets[(bot, chat)] = Bucket(rate, size, size, now)
        return bucket


def named(name: str) -> Policy:
    """`off`, `strict`, `blocking` (strict, the bot blocked during `retry_after`) or `bucket`. Raises KeyError."""
    makers: dict[str, Callable[[], Policy]] = {
        "off": Unlimited,
        "strict": StrictWindow,
        "blocking": lambda: StrictWindow(blocking=True),
        "bucket": TokenBucket,
    }
    return makers[name]()


def _seconds(wait: int) -> int:
    return max(1, math.ceil(wait / SECOND))
