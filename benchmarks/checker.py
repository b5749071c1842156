"""Scores a run from two things only: what the provider noted, and the rows of the database. Matched one to one.

A message is known by its text, which is unique in a run. Nothing that the sending side says of itself is believed.
"""

from __future__ import annotations

import json
from collections import defaultdict, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.policies import BOT_RATE, CHAT_RATE, GROUP_RATE, SECOND

ACCEPTED = (200, -1)
"""Answered, and accepted though the answer was dropped."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What the provider noted: `at` in monotonic nanoseconds; `message` is the id it gave."""

    at: int
    bot: int
    chat: int
    method: str
    status: int
    message: int
    text: str

    @property
    def accepted(self) -> bool:
        """Whether the message is out."""
        return self.status in ACCEPTED


@dataclass(frozen=True, slots=True)
class Row:
    """A message of the database; `waiting` is why it is not out yet, while a delivery of it is left."""

    id: int
    text: str
    state: str
    external_id: str | None
    at_most_once: bool = False
    waiting: str | None = None


@dataclass
class Verdict:
    """What is wrong with a run; each list names texts or says what happened."""

    lost: list[str] = field(default_factory=list)
    """Neither out nor waiting, and no state says why."""
    doubled: list[str] = field(default_factory=list)
    """Out more than once though that was forbidden."""
    repeated: list[str] = field(default_factory=list)
    """Out more than once where an unknown outcome allows it."""
    unknown: list[str] = field(default_factory=list)
    """Out or not: the row says that nobody knows, for it may not be said twice."""
    stray: list[str] = field(default_factory=list)
    """Out without a row."""
    mistaken: list[str] = field(default_factory=list)
    """The row contradicts the provider."""
    refused: int = 0
    """Answers 429."""

    @property
    def sound(self) -> bool:
        """Nothing lost, nothing doubled where forbidden, nothing contradictory."""
        return not (self.lost or self.doubled or self.stray or self.mistaken)


def read_log(path: Path | str) -> list[Entry]:
    """The provider's notes, in the order in which they were judged."""
    with open(path, encoding="utf-8") as lines:
        return [Entry(*json.loads(line)) for line in lines]


def match(entries: Iterable[Entry], rows: Iterable[Row]) -> Verdict:
    """Matches what was sent with the rows. Every row has its own text. Raises ValueError where two have the same."""
    verdict = Verdict()
    out: dict[str, list[Entry]] = defaultdict(list)
    for entry in entries:
        if entry.status == 429:
            verdict.refused += 1
        if entry.method == "sendMessage" and entry.accepted:
            out[entry.text].append(entry)
    known: set[str] = set()
    for row in rows:
        if row.text in known:
            raise ValueError(f"two rows say {row.text!r}: nothing can be matched")
        known.add(row.text)
        _judge(row, out.get(row.text, []), verdict)
    verdict.stray = [text for text in out if text not in known]
    return verdict


def _judge(row: Row, sent: Sequence[Entry], verdict: Verdict) -> None:
    if len(sent) > 1:
        (verdict.doubled if row.at_most_once else verdict.repeated).append(row.text)
    if row.state == "unknown":
        verdict.unknown.append(row.text)
    elif row.state == "sent":
        if not sent:
            verdict.mistaken.append(f"{row.text}: sent, says the row")
        elif row.external_id not in {str(entry.message) for entry in sent}:
            verdict.mistaken.append(f"{row.text}: recorded as {row.external_id}")
    elif not sent and row.state == "queued" and row.waiting is None:
        verdict.lost.append(row.text)
    elif sent and row.state in ("failed", "canceled"):
        verdict.mistaken.append(f"{row.text}: {row.state}, says the row, and it is out")
    elif sent and row.state == "queued" and row.waiting is None:
        verdict.mistaken.append(f"{row.text}: out, and the row never learned it")


def mark(text: str) -> str:
    """The name between « and » of a text that a template surrounds; empty where there is none."""
    return text.partition("«")[2].partition("»")[0]


def by_mark(entries: Iterable[Entry]) -> dict[str, list[int]]:
    """When each marked text was accepted, in order."""
    moments: dict[str, list[int]] = defaultdict(list)
    for entry in entries:
        name = mark(entry.text)
        if name and entry.accepted and entry.method == "sendMessage":
            moments[name].append(entry.at)
    return dict(moments)


def over_pacing(entries: Iterable[Entry]) -> list[str]:
    """Every limit that was exceeded in some sliding window, from the moments at which messages were accepted.

    A message over a limit is named with how many there were in its window. What the provider refused does not count:
    the refusals say it themselves.
    """
    breaches: list[str] = []
    windows: dict[tuple[str, int, int], deque[int]] = defaultdict(deque)
    for entry in sorted(entries, key=lambda logged: logged.at):
        if entry.method != "sendMessage" or not entry.accepted:
            continue
        limits = [("bot", 0, BOT_RATE, SECOND), ("chat", entry.chat, CHAT_RATE, SECOND)]
        if entry.chat < 0:
            limits.append(("group", entry.chat, GROUP_RATE, 60 * SECOND))
        for name, chat, most, span in limits:
            window = windows[(name, entry.bot, chat)]
            while window and entry.at - window[0] >= span:
                window.popleft()
            window.append(entry.at)
            if len(window) > most:
                breaches.append(f"{name} {chat or entry.bot}: {len(window)} in {span // SECOND} s ({entry.text})")
    return breaches


@dataclass(frozen=True, slots=True)
class Pace:
    """How much of its limit a bot used while it had enough to do."""

    messages: int
    seconds: float
    ratio: float


def pace_of(entries: Iterable[Entry], steady: Iterable[str], *, burst: int = 0) -> Pace:
    """The pace between the first and the last accepted of the `steady` texts, all of the bot's messages counted.

    `burst` is what a bucket gives on top of the rate. Raises ValueError where fewer than two were accepted.
    """
    wanted = set(steady)
    accepted = [entry for entry in entries if entry.method == "sendMessage" and entry.accepted]
    times = [entry.at for entry in accepted if entry.text in wanted]
    if len(times) < 2:
        raise ValueError("nothing to measure a pace by")
    begin, end = min(times), max(times)
    count = sum(begin <= entry.at <= end for entry in accepted)
    seconds = (end - begin) / SECOND
    return Pace(count, seconds, (count - 1) / (seconds * BOT_RATE + burst))
