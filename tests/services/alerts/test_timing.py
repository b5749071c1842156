"""When: what a report means, and what happens next by itself."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from backend.services.alerts.state.timing import (
    EDIT_SECONDS,
    Facts,
    Rules,
    due_at,
    edit_due,
    new_at,
    on_report,
    upcoming,
)

NOW = datetime(2026, 11, 21, 13, 0, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


REPORT = {
    "known": True, "open_alert": True, "state": "firing", "notified_at": at(-10), "waiting": False, "silenced": False,
    "now": NOW, "throttle": 60, "repeat_interval": None,
}  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "verdict"),
    [
        ({}, "counted"),
        ({"notified_at": at(-59.9)}, "counted"),
        ({"notified_at": at(-60)}, "again"),
        ({"notified_at": at(-3600)}, "again"),
        ({"notified_at": None}, "again"),
        ({"notified_at": at(-3600), "state": "acknowledged"}, "counted"),
        ({"notified_at": at(-3600), "state": "snoozed"}, "counted"),
        ({"notified_at": at(-3600), "silenced": True}, "counted"),
        ({"notified_at": at(-3600), "waiting": True}, "counted"),
        ({"notified_at": at(-3600), "repeat_interval": 3000}, "counted"),
        ({"known": False}, "joined"),
        ({"known": False, "state": "acknowledged"}, "joined"),
        ({"open_alert": False, "state": None}, "reopened"),
        ({"open_alert": False, "state": None, "known": False}, "opened"),
        ({"open_alert": False, "state": None, "notified_at": at(-61)}, "opened"),
        ({"open_alert": False, "state": None, "notified_at": None}, "opened"),
        ({"throttle": 0}, "again"),
    ],
)
def test_a_report_means(changes, verdict):
    assert on_report(**(REPORT | changes)) == verdict


def steps(facts: dict[str, Any], **rules: Any) -> list[tuple[str, float, str]]:
    known: dict[str, Any] = {
        "state": "firing",
        "last_seen_at": NOW,
        "notified_at": NOW,
        "first_notified_at": NOW,
    } | facts
    found = upcoming(Facts(**known), Rules(**({"quiet_after": None} | rules)))
    return [(step.what, (step.at - NOW).total_seconds(), step.reason) for step in found]


@pytest.mark.parametrize(
    ("facts", "rules", "expected"),
    [
        ({}, {}, []),
        ({}, {"quiet_after": 60}, [("resolve", 60, "nothing_heard")]),
        ({}, {"repeat_interval": 3000}, [("repeat", 3000, "not_acknowledged")]),
        (
            {},
            {"repeat_interval": 3000, "escalate_after": 6000},
            [("repeat", 3000, "not_acknowledged"), ("escalate", 6000, "not_acknowledged")],
        ),
        (
            {},
            {"repeat_interval": 3000, "escalate_after": 3000},
            [("escalate", 3000, "not_acknowledged"), ("repeat", 3000, "not_acknowledged")],
        ),
        ({"escalated_at": NOW}, {"escalate_after": 6000}, []),
        ({"escalates": False}, {"escalate_after": 6000}, []),
        ({"notify_at": at(5)}, {"repeat_interval": 3000}, [("notify", 5, "group_interval")]),
        (
            {"notify_at": at(30), "first_notified_at": None, "notified_at": None},
            {"escalate_after": 60, "repeat_interval": 60},
            [("notify", 30, "group_wait")],
        ),
        ({"edit_at": at(3)}, {}, [("edit", 3, "changed")]),
        ({"state": "resolved", "edit_at": at(3)}, {"quiet_after": 60, "repeat_interval": 60}, [("edit", 3, "changed")]),
        ({"state": "snoozed", "snoozed_until": at(60)}, {"repeat_interval": 30}, [("wake", 60, "snooze_ends")]),
        (
            {"state": "acknowledged", "acknowledged_at": NOW},
            {"repeat_interval": 30, "acknowledged_for": 100},
            [("unacknowledge", 100, "acknowledged_long_ago")],
        ),
        ({"state": "acknowledged", "acknowledged_at": NOW}, {"acknowledged_for": None}, []),
        ({"silenced_until": at(50)}, {"repeat_interval": 30}, [("unsilence", 50, "silence_ends")]),
        (
            {"silenced_until": at(50), "state": "acknowledged", "acknowledged_at": NOW},
            {},
            [("unacknowledge", 86_400, "acknowledged_long_ago")],
        ),
    ],
)
def test_what_happens_next(facts, rules, expected):
    assert steps(facts, **rules) == expected


def test_the_timers_look_at_the_earliest():
    facts = Facts("firing", NOW, notified_at=NOW, edit_at=at(3))
    assert due_at(facts, Rules(repeat_interval=600)) == at(3)
    assert due_at(Facts("resolved", NOW), Rules()) is None


@pytest.mark.parametrize(
    ("first", "last", "rules", "expected"),
    [
        (None, None, Rules(), 0),
        (None, None, Rules(group_by=("service",), group_wait=30), 30),
        (-100, -100, Rules(group_by=("service",), group_interval=300), 200),
        (-900, -400, Rules(group_by=("service",), group_interval=300), 0),
        (-100, -100, Rules(), 0),
    ],
)
def test_when_something_new_is_told(first, last, rules, expected):
    found = new_at(
        first_notified_at=None if first is None else at(first),
        notified_at=None if last is None else at(last),
        rules=rules,
        now=NOW,
    )
    assert found == at(expected)


@pytest.mark.parametrize(
    ("edited", "parts", "expected"),
    [
        (None, 1, 0),
        (0, 1, EDIT_SECONDS),
        (-1, 1, EDIT_SECONDS - 1),
        (-100, 1, 0),
        (0, 13, 13 * EDIT_SECONDS),
        (0, 0, EDIT_SECONDS),
    ],
)
def test_edits_keep_a_distance_that_grows_with_the_parts(edited, parts, expected):
    assert edit_due(None if edited is None else at(edited), parts, NOW) == at(expected)
