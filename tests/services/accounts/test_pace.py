"""The ceilings of an account: the ramp, the day, the hour."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from backend.core import clock
from backend.core.database import db
from backend.models import Account, AccountFirstConnection, Attempt
from backend.services.accounts import pace

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("days", "expected"),
    [(0, (1, 3)), (6, (7, 3)), (7, (8, 5)), (13, (14, 5)), (14, (15, 10)), (400, (401, 10)), (-1, (1, 3))],
)
def test_a_new_account_begins_slowly(days: int, expected: tuple[int, int]) -> None:
    ramp = pace.ramp_of(NOW - timedelta(days=days), NOW)
    assert (ramp.day, ramp.limit) == expected


@pytest.mark.parametrize(("until", "limit"), [(None, 10), (NOW, 10), (NOW + HOUR, 3)])
def test_a_strict_time_lowers_the_ceiling_and_never_raises_it(until: datetime | None, limit: int) -> None:
    assert pace.daily_limit_of(pace.Ramp(30, 10), until, NOW) == limit
    assert pace.daily_limit_of(pace.Ramp(1, 2), until, NOW) == 2


@pytest.mark.parametrize(
    ("limit", "used", "tried", "next_at", "why"),
    [
        (10, [], [], NOW, None),
        (10, [30], [30], NOW + timedelta(minutes=30), "hour_limit"),
        (10, [], [30], NOW + timedelta(minutes=30), "hour_limit"),
        (10, [60], [], NOW, None),
        (3, [700, 400, 100], [], NOW + timedelta(minutes=1440 - 700), "ramp"),
        (10, range(1000, 0, -100), [], NOW + timedelta(minutes=440), "day_limit"),
        (3, [1200, 900, 700, 400], [], NOW + timedelta(minutes=1440 - 900), "ramp"),
    ],
)
def test_the_next_message_goes_when_every_ceiling_lets_it(
    limit: int, used: list[int], tried: list[int], next_at: datetime, why: str | None
) -> None:
    ago = [tuple(NOW - timedelta(minutes=minutes) for minutes in group) for group in (used, tried)]
    state = pace.Pace(b"", pace.Ramp(30, limit), limit, ago[0], ago[1], None)
    assert state.next_at(NOW) == next_at
    assert state.limiting(NOW) == why


def test_what_an_account_sent_counts_in_every_workspace(account: Account) -> None:
    for minutes, kind in ((90, "campaign"), (30, "campaign"), (20, "reply")):
        at = clock.now() - timedelta(minutes=minutes)
        values = {"workspace_id": account.workspace_id + 1, "sender_id": 999, "delivery_id": minutes, "epoch": 1}
        fields = values | {"part": 0, "operation": "send", "phase": "started", "at": at, "kind": kind}
        db.session.add(Attempt(**fields, quota_key=account.quota_key))
    db.session.commit()
    state = pace.state_of(account.sender_id)
    assert state is not None
    assert (len(state.used), len(state.tried), state.left_today) == (2, 1, 8)
    assert state.limiting(clock.now()) == "hour_limit"


def test_the_ramp_counts_from_the_first_connection_to_the_instance(account: Account) -> None:
    first = db.session.get_one(AccountFirstConnection, account.quota_key)
    first.first_connected_at = clock.now() - timedelta(days=8)
    db.session.commit()
    state = pace.state_of(account.sender_id)
    assert state is not None
    assert (state.ramp.day, state.daily_limit) == (9, 5)


def test_a_bot_has_no_such_pace(account: Account) -> None:
    assert pace.state_of(account.sender_id + 1) is None
