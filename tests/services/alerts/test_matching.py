"""Matchers, silences, keys and states, as tables."""

from __future__ import annotations

import tracemalloc
from datetime import UTC, datetime, timedelta

import pytest

from backend.services.alerts.rules import validation
from backend.services.alerts.rules.matchers import Matcher, Meter, Silence, matches, problem, silencing, visible
from backend.services.alerts.state import keys, states

NOW = datetime(2026, 11, 21, 13, 0, tzinfo=UTC)
LABELS = {"service": "payments", "host": "pay-2"}


@pytest.mark.parametrize(
    ("label", "op", "value", "holds"),
    [
        ("service", "=", "payments", True),
        ("service", "=", "pay", False),
        ("service", "!=", "edge", True),
        ("service", "!=", "payments", False),
        ("service", "=~", "pay.*", True),
        ("service", "=~", "pay", False),
        ("service", "!~", "pay.*", False),
        ("service", "!~", "edge|db", True),
        ("absent", "=", "", True),
        ("absent", "!=", "", False),
        ("absent", "=~", ".+", False),
        ("absent", "=~", ".*", True),
        ("service", "=~", "(", False),
    ],
)
def test_a_matcher_holds(label, op, value, holds):
    assert matches([Matcher(label, op, value)], LABELS) is holds


def test_all_matchers_have_to_hold():
    assert matches([Matcher("service", "=", "payments"), Matcher("host", "=~", "pay-.")], LABELS)
    assert not matches([Matcher("service", "=", "payments"), Matcher("host", "=", "pay-1")], LABELS)


@pytest.mark.parametrize("op", ["=~", "!~"])
@pytest.mark.parametrize("pattern", ["(", "(?=a)", "a{5000000}", r"(a)\1"])
def test_what_is_no_pattern_holds_for_nothing_and_its_rule_is_blamed(op, pattern):
    meter = Meter()
    assert not matches([Matcher("service", op, pattern)], LABELS, meter, ("silence", 7))
    assert list(meter.faults) == [("silence", 7)]


@pytest.mark.parametrize("pattern", ["(a|aa)+b", "(a*)*b", "(?:a?){300}a{300}b"])
def test_nested_repetitions_cost_what_others_of_their_size_cost(pattern):
    meter = Meter()
    assert not matches([Matcher("x", "=~", pattern)], {"x": "a" * 500}, meter)
    assert meter.spent < 2_000_000


def test_the_same_test_is_carried_out_once_and_what_costs_nothing_comes_first():
    meter = Meter()
    rule = [Matcher("service", "=~", "pay.*"), Matcher("host", "=", "pay-2")]
    matches(rule, LABELS, meter)
    spent = meter.spent
    assert spent > 0
    assert matches(rule, LABELS, meter)
    assert not matches([Matcher("service", "=~", "other.*"), Matcher("host", "=", "pay-1")], LABELS, meter)
    assert meter.spent == spent


def test_beyond_the_limit_nothing_matches_and_who_cost_most_is_blamed():
    meter = Meter(limit=300_000)
    assert matches([Matcher("service", "=~", "pay.*")], LABELS, meter, ("policy", 1))
    assert not matches([Matcher("x", "=~", "(?:.*a.*){40}b")], {"x": "a" * 900}, meter, ("silence", 2))
    assert meter.exhausted
    assert meter.faults == {("silence", 2): "pattern_too_costly"}
    for op in ("=~", "!~"):
        assert not matches([Matcher("service", op, "edge")], LABELS, meter, ("silence", 3))
    assert matches([Matcher("service", "=", "payments")], LABELS, meter, ("silence", 4))
    assert list(meter.faults) == [("silence", 2)]


@pytest.mark.parametrize(
    ("op", "value", "code"),
    [("=", "(", None), ("=~", "pay.*", None), ("=~", "(", "bad_pattern"), ("~", "x", "unknown_operator"),
     ("!~", "(?!x)y", "bad_pattern"), ("=~", "a{5000000}", "pattern_too_large"),
     ("=~", "a{2147483648}", "pattern_too_large")],
)  # fmt: skip
def test_what_is_no_matcher(op, value, code):
    assert problem(Matcher("x", op, value)) == code


@pytest.mark.parametrize(
    ("rows", "codes"),
    [
        ([], ["no_matchers"]),
        ([{"label": "x", "op": "!=", "value": "y"}], ["matches_everything"]),
        ([{"label": "x", "op": "=~", "value": ".*"}], ["matches_everything"]),
        ([{"label": "x", "op": "=", "value": "y"}], []),
        ([{"label": "x", "op": "=", "value": "y"}, {"label": "z", "op": "!=", "value": "w"}], []),
        ([{"label": "x", "op": "=", "value": "y"}] * 101, ["too_many_matchers"]),
        ([{"label": "x", "op": "=~", "value": "a{900}"}] * 2, []),
        ([{"label": "x", "op": "=~", "value": "a{900}"}] * 3, ["patterns_too_large"]),
    ],
)
def test_a_silence_has_to_ask_for_something(rows, codes):
    assert [fault["code"] for fault in validation.matcher_faults(rows)] == codes


def test_severity_title_and_bot_can_be_matched_and_own_labels_come_first():
    seen = visible({"severity": "page"}, severity="critical", title="Disk", bot_name="alerts")
    assert seen == {"severity": "page", "title": "Disk", "bot_name": "alerts"}


def silence(number: int, starts: float, ends: float, value: str = "payments") -> Silence:
    return Silence(
        number, (Matcher("service", "=", value),), NOW + timedelta(seconds=starts), NOW + timedelta(seconds=ends)
    )


@pytest.mark.parametrize(
    ("silences", "found"),
    [
        ([], None),
        ([silence(1, -10, 10)], 1),
        ([silence(1, 0, 10)], 1),
        ([silence(1, 1, 10)], None),
        ([silence(1, -10, 0)], None),
        ([silence(1, -10, 10), silence(2, -10, 20)], 2),
        ([silence(1, -10, 10), silence(2, -10, 20, "edge")], 1),
    ],
)
def test_the_silence_in_force_is_the_one_that_ends_last(silences, found):
    held = silencing(silences, LABELS, NOW)
    assert (held.id if held else None) == found


def test_keys_keep_apart_what_is_apart():
    base = keys.derived("alerts", "warning", "Disk", "84 %")
    assert base == keys.derived("Alerts", "warning", "Disk", "84 %")
    others = {
        keys.derived("deploy", "warning", "Disk", "84 %"),
        keys.derived("alerts", "info", "Disk", "84 %"),
        keys.derived("alerts", "warning", "Disk8", "4 %"),
        keys.given("alerts", "Disk"),
        keys.reported_group("grafana", "alerts", "Disk"),
    }
    assert base not in others
    assert len(others) == 5


def test_a_group_is_what_agrees_in_its_labels_and_what_has_none_of_them_stands_alone():
    one, two = keys.given("alerts", "1"), keys.given("alerts", "2")
    grouped = [keys.group_of(key, "alerts", 1, ["service"], {"service": "a", "host": key.hex()}) for key in (one, two)]
    assert grouped[0] == grouped[1]
    assert grouped[0] != keys.group_of(one, "alerts", 1, ["service"], {"service": "b"})
    assert grouped[0] != keys.group_of(one, "alerts", 2, ["service"], {"service": "a"})
    assert keys.group_of(one, "alerts", 1, ["service"], {}) != keys.group_of(two, "alerts", 1, ["service"], {})
    assert keys.group_of(one, "alerts", None, [], {"service": "a"}) != keys.group_of(two, "alerts", None, [], {})


@pytest.mark.parametrize(
    ("state", "action", "after"),
    [
        ("firing", "ack", "acknowledged"), ("acknowledged", "ack", None), ("snoozed", "ack", "acknowledged"),
        ("resolved", "ack", None), ("acknowledged", "unack", "firing"), ("firing", "unack", None),
        ("firing", "snooze", "snoozed"), ("acknowledged", "snooze", "snoozed"), ("snoozed", "snooze", "snoozed"),
        ("resolved", "snooze", None), ("snoozed", "wake", "firing"), ("firing", "wake", None),
        ("firing", "resolve", "resolved"), ("snoozed", "resolve", "resolved"), ("resolved", "resolve", None),
        ("resolved", "reopen", "firing"), ("firing", "reopen", None),
    ],
)  # fmt: skip
def test_what_an_action_does(state, action, after):
    assert states.after(state, action) == after
    assert states.too_late(state, action) == (state == "resolved" and action not in ("resolve", "reopen"))


def test_what_a_meter_remembers_is_bounded_in_characters() -> None:
    meter = Meter()
    tracemalloc.start()
    for number in range(12_000):
        assert meter.test("a+", f"{number}:{'b' * 2_000}") is False
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert held < 8_000_000
