"""Matchers and silences: pure functions of labels, rules and the time.

A matcher is a label, an operator and a value, as Alertmanager has them: `=`, `!=`, and `=~`, `!~` with a regular
expression for the whole value. A label that is not there is the empty text. Beside their own labels, alerts can be
matched by `severity`, `title` and `bot_name`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import regex

OPERATORS: Final = ("=", "!=", "=~", "!~")
MOST_MATCHERS: Final = 20
_SECONDS: Final = 0.05
"""A pattern that takes longer on one value matches nothing: a slow pattern must not hold up an alert."""


@dataclass(frozen=True, slots=True)
class Matcher:
    """One condition."""

    label: str
    op: str
    value: str

    def __str__(self) -> str:
        return f"{self.label}{self.op}{self.value}"


@dataclass(frozen=True, slots=True)
class Silence:
    """A silence as the decisions see it. It holds from `starts_at` on and before `ends_at`."""

    id: int
    matchers: tuple[Matcher, ...]
    starts_at: datetime
    ends_at: datetime


def read(rows: Iterable[Mapping[str, str]]) -> tuple[Matcher, ...]:
    """Matchers from their stored form."""
    return tuple(Matcher(row["label"], row["op"], row["value"]) for row in rows)


def problem(matcher: Matcher) -> str | None:
    """Why this is no matcher, as a code; None if it is one."""
    if matcher.op not in OPERATORS:
        return "unknown_operator"
    if matcher.op in ("=~", "!~"):
        try:
            regex.compile(matcher.value)
        except regex.error:
            return "bad_pattern"
    return None


def matches(matchers: Sequence[Matcher], labels: Mapping[str, str]) -> bool:
    """Whether all of them hold. Raises nothing, whatever the labels."""
    return all(_holds(matcher, labels.get(matcher.label, "")) for matcher in matchers)


def visible(labels: Mapping[str, str], *, severity: str, title: str, bot_name: str) -> dict[str, str]:
    """What matchers see of an alert; its own labels come before what is known besides."""
    return {"severity": severity, "title": title, "bot_name": bot_name, **labels}


def silencing(silences: Iterable[Silence], labels: Mapping[str, str], now: datetime) -> Silence | None:
    """Of the silences in force that match, the one that ends last."""
    held = [one for one in silences if one.starts_at <= now < one.ends_at and matches(one.matchers, labels)]
    return max(held, key=lambda one: (one.ends_at, one.id), default=None)


def _holds(matcher: Matcher, value: str) -> bool:
    if matcher.op == "=":
        return value == matcher.value
    if matcher.op == "!=":
        return value != matcher.value
    try:
        found = regex.fullmatch(matcher.value, value, timeout=_SECONDS) is not None
    except (TimeoutError, regex.error):
        return False
    return found if matcher.op == "=~" else not found
