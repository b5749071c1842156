"""Matchers and silences: pure functions of labels, rules and the time.

A matcher is a label, an operator and a value, as Alertmanager has them: `=`, `!=`, and `=~`, `!~` with a regular
expression for the whole value. A label that is not there is the empty text. Beside their own labels, alerts can be
matched by `severity` (their word for it and ours), `title`, `bot_name` and `alert_group`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import regex

GROUP: Final = "alert_group"
"""The label that stands for what is told in one message, as hexadecimal digits."""
OPERATORS: Final = ("=", "!=", "=~", "!~")
MOST_MATCHERS: Final = 100
"""As many as an alert's labels may need, so that it can be silenced by all of them."""
MAX_LABEL: Final = 200
MAX_VALUE: Final = 4_096
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


class VisibleLabels(dict[str, str]):
    """Labels as matchers see them; `severity` is ours, where the label of that name has another word for it."""

    severity: str | None = None


def matches(matchers: Sequence[Matcher], labels: Mapping[str, str]) -> bool:
    """Whether all of them hold. Raises nothing, whatever the labels."""
    return all(_holds_for(matcher, labels) for matcher in matchers)


def visible(
    labels: Mapping[str, str], *, severity: str, title: str, bot_name: str, group: str | None = None
) -> VisibleLabels:
    """What matchers see of an alert; its own labels come before what is known besides, except `alert_group`."""
    seen = VisibleLabels({"severity": severity, "title": title, "bot_name": bot_name, **labels})
    if group is not None:
        seen[GROUP] = group
    seen.severity = severity if seen["severity"] != severity else None
    return seen


def silencing(silences: Iterable[Silence], labels: Mapping[str, str], now: datetime) -> Silence | None:
    """Of the silences in force that match, the one that ends last."""
    held = [one for one in silences if one.starts_at <= now < one.ends_at and matches(one.matchers, labels)]
    return max(held, key=lambda one: (one.ends_at, one.id), default=None)


def _holds_for(matcher: Matcher, labels: Mapping[str, str]) -> bool:
    """Whether it holds for the label; for `severity` the alert's own word and ours count alike."""
    held = _holds(matcher, labels.get(matcher.label, ""))
    other = getattr(labels, "severity", None) if matcher.label == "severity" else None
    if other is None:
        return held
    also = _holds(matcher, other)
    return held and also if matcher.op in ("!=", "!~") else held or also


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
