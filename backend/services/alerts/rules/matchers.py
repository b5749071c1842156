"""Matchers and silences: pure functions of labels, rules and the time.

A matcher is a label, an operator and a value, as Alertmanager has them: `=`, `!=`, and `=~`, `!~` with a regular
expression (`core.patterns`) for the whole value. A label that is not there is the empty text. Beside their own labels,
alerts can be matched by `severity` (their word for it and ours), `title`, `bot_name` and `alert_group`.

What many rules may cost together is counted by a `Meter`, in steps of the engine and not by the clock: the same rules
and alerts cost the same on a busy machine, so that nobody's silence is switched off by somebody else's load.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Literal

from backend.core.patterns import PatternRefused, compile_pattern

GROUP: Final = "alert_group"
"""The label that stands for what is told in one message, as hexadecimal digits."""
OPERATORS: Final = ("=", "!=", "=~", "!~")
_BY_PATTERN: Final = ("=~", "!~")
MAX_MATCHERS: Final = 100
"""As many as an alert's labels may need, so that it can be silenced by all of them."""
MAX_LABEL: Final = 200
MAX_VALUE: Final = 4_096
MAX_SIZE: Final = 2_000
"""Instructions of all patterns of one rule."""
MAX_STEPS: Final = 600_000_000
"""Of all patterns in one transaction: at worst two seconds of one core beside the interpreter, usually far less."""
TOO_COSTLY: Final = "pattern_too_costly"
_STEPS_OF_A_CALL: Final = 2_000
"""What a test costs besides: an engine's step is at most three nanoseconds."""
_STEPS_TO_COMPILE: Final = 120
"""For each instruction."""
_MAX_KNOWN: Final = 50_000
_MAX_KNOWN_CHARACTERS: Final = 4_000_000
"""Of the values whose answers are remembered: they would otherwise all stay in memory to the end."""

Rule = tuple[Literal["silence", "policy"], int]
"""Whose pattern it is: the kind of the rule, and its id."""


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


@dataclass(slots=True)
class Meter:
    """What the patterns of one transaction have cost, and which rules are to be switched off for it.

    When `limit` is reached, the rule that cost most is to blame, and no further pattern is tested: rules whose answer
    would depend on one do not match, so that an alert is rather heard than lost.
    """

    limit: int = MAX_STEPS
    spent: int = 0
    faults: dict[Rule, str] = field(default_factory=dict)
    """Rules that are to be switched off, and the code of the reason."""
    _by_rule: dict[Rule, int] = field(default_factory=dict)
    _known: dict[tuple[str, str], bool] = field(default_factory=dict)
    _known_characters: int = 0
    _compiled: set[str] = field(default_factory=set)

    @property
    def exhausted(self) -> bool:
        """Whether nothing is left."""
        return self.spent >= self.limit

    def test(self, pattern: str, value: str, rule: Rule | None = None) -> bool | None:
        """Whether the pattern holds for the value; None where it is refused, or nothing is left for it."""
        if self.exhausted:
            return None
        known = self._known.get((pattern, value))
        if known is not None:
            return known
        try:
            compiled = compile_pattern(pattern)
        except PatternRefused as error:
            if rule is not None:
                self.faults[rule] = error.code
            return None
        steps = compiled.steps(value) + _STEPS_OF_A_CALL
        if pattern not in self._compiled:
            # It may have had to be compiled again: more are in force than are kept.
            self._compiled.add(pattern)
            steps += compiled.size * _STEPS_TO_COMPILE
        self._charge(steps, rule)
        matched = compiled.matches(value)
        if len(self._known) < _MAX_KNOWN and self._known_characters + len(value) <= _MAX_KNOWN_CHARACTERS:
            self._known[pattern, value] = matched
            self._known_characters += len(value)
        return matched

    def _charge(self, steps: int, rule: Rule | None) -> None:
        self.spent += steps
        if rule is not None:
            self._by_rule[rule] = self._by_rule.get(rule, 0) + steps
        if self.exhausted and self._by_rule:
            self.faults[max(self._by_rule, key=lambda spender: (self._by_rule[spender], spender))] = TOO_COSTLY


def problem(matcher: Matcher) -> str | None:
    """Why this is no matcher, as a code; None if it is one."""
    if matcher.op not in OPERATORS:
        return "unknown_operator"
    try:
        size_of([matcher])
    except PatternRefused as error:
        return error.code
    return None


class VisibleLabels(dict[str, str]):
    """Labels as matchers see them; `severity` is ours, where the label of that name has another word for it."""

    severity: str | None = None


def size_of(matchers: Iterable[Matcher]) -> int:
    """The instructions of all their patterns. Raises PatternRefused."""
    return sum(compile_pattern(matcher.value).size for matcher in matchers if matcher.op in _BY_PATTERN)


def matches(
    matchers: Sequence[Matcher], labels: Mapping[str, str], meter: Meter | None = None, rule: Rule | None = None
) -> bool:
    """Whether all of them hold. Raises nothing, whatever the labels.

    What costs nothing is tested first. A pattern that cannot be tested holds for nothing, whatever its operator.
    """
    if not all(_holds(matcher, labels) for matcher in matchers if matcher.op not in _BY_PATTERN):
        return False
    meter = meter or Meter()
    return all(_holds_by_pattern(matcher, labels, meter, rule) for matcher in matchers if matcher.op in _BY_PATTERN)


def visible(
    labels: Mapping[str, str], *, severity: str, title: str, bot_name: str, group: str | None = None
) -> VisibleLabels:
    """What matchers see of an alert; its own labels come before what is known besides, except `alert_group`."""
    seen = VisibleLabels({"severity": severity, "title": title, "bot_name": bot_name, **labels})
    if group is not None:
        seen[GROUP] = group
    seen.severity = severity if seen["severity"] != severity else None
    return seen


def silencing(
    silences: Iterable[Silence], labels: Mapping[str, str], now: datetime, meter: Meter | None = None
) -> Silence | None:
    """Of the silences in force that match, the one that ends last."""
    meter = meter or Meter()
    held = [
        silence
        for silence in silences
        if silence.starts_at <= now < silence.ends_at
        and matches(silence.matchers, labels, meter, ("silence", silence.id))
    ]
    return max(held, key=lambda silence: (silence.ends_at, silence.id), default=None)


def _holds(matcher: Matcher, labels: Mapping[str, str]) -> bool:
    return (matcher.value in _values(matcher, labels)) is (matcher.op == "=")


def _holds_by_pattern(matcher: Matcher, labels: Mapping[str, str], meter: Meter, rule: Rule | None) -> bool:
    results = [meter.test(matcher.value, value, rule) for value in _values(matcher, labels)]
    return None not in results and (True in results) is (matcher.op == "=~")


def _values(matcher: Matcher, labels: Mapping[str, str]) -> tuple[str, ...]:
    """What the label holds; for `severity` the alert's own word and ours count alike."""
    other = getattr(labels, "severity", None) if matcher.label == "severity" else None
    value = labels.get(matcher.label, "")
    return (value,) if other is None else (value, other)
