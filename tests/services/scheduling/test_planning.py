"""What becomes of a schedule that is due, also long after it was."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from backend.services.scheduling import Timing
from backend.services.scheduling.due_policy import Plan, plan

HOURLY = Timing("cron", cron="0 * * * *")
DAILY = Timing("cron", cron="0 9 * * *", timezone="Asia/Seoul")
EVERY_MINUTE = Timing("interval", interval_seconds=60, run_at=datetime(2027, 1, 1, tzinfo=UTC))
LATEST = timedelta(hours=48)


def at(value: str) -> datetime:
    return datetime.fromisoformat(value)


def once(value: str) -> Timing:
    return Timing("once", run_at=at(value))


@pytest.mark.parametrize(
    ("timing", "due", "now", "expected"),
    [
        # in time
        (HOURLY, "2027-01-04T09:00Z", "2027-01-04T09:00:01Z", ("2027-01-04T09:00Z", None, None, "2027-01-04T10:00Z")),
        (DAILY, "2027-01-04T00:00Z", "2027-01-04T00:00Z", ("2027-01-04T00:00Z", None, None, "2027-01-05T00:00Z")),
        (once("2027-01-04T09:00Z"), "2027-01-04T09:00Z", "2027-01-04T09:01Z", ("2027-01-04T09:00Z", None, None, None)),
        # late, and nothing else was missed
        (DAILY, "2027-01-04T00:00Z", "2027-01-04T23:59Z", ("2027-01-04T00:00Z", None, None, "2027-01-05T00:00Z")),
        (once("2027-01-04T09:00Z"), "2027-01-04T09:00Z", "2027-01-06T08:00Z", ("2027-01-04T09:00Z", None, None, None)),
        # several were missed: one fire, for the last of them
        (
            HOURLY,
            "2027-01-04T09:00Z",
            "2027-01-05T08:30Z",
            ("2027-01-05T08:00Z", "2027-01-04T09:00Z", None, "2027-01-05T09:00Z"),
        ),
        (
            EVERY_MINUTE,
            "2027-01-04T09:00Z",
            "2027-01-05T09:00:30Z",
            ("2027-01-05T09:00Z", "2027-01-04T09:00Z", None, "2027-01-05T09:01Z"),
        ),
        (
            DAILY,
            "2027-01-04T00:00Z",
            "2027-01-11T00:00Z",
            ("2027-01-11T00:00Z", "2027-01-04T00:00Z", None, "2027-01-12T00:00Z"),
        ),
        # too late
        (
            once("2027-01-04T09:00Z"),
            "2027-01-04T09:00Z",
            "2027-01-06T09:00:01Z",
            ("2027-01-04T09:00Z", None, "too_late", None),
        ),
        (
            Timing("cron", cron="0 9 * * 1"),
            "2027-01-04T09:00Z",
            "2027-01-08T09:00Z",
            ("2027-01-04T09:00Z", None, "too_late", "2027-01-11T09:00Z"),
        ),
        # its zone is gone
        (
            Timing("cron", cron="0 9 * * *", timezone="Europe/Atlantis"),
            "2027-01-04T09:00Z",
            "2027-01-04T09:00Z",
            ("2027-01-04T09:00Z", None, "unreadable_schedule", None),
        ),
    ],
)
def test_what_becomes_of_a_schedule_that_is_due(timing, due, now, expected) -> None:
    fire_at, missed, code, following = expected
    assert plan(timing, at(due), at(now), LATEST) == Plan(
        at(fire_at), at(missed) if missed else None, code, at(following) if following else None
    )


def test_a_job_may_have_no_limit() -> None:
    planned = plan(once("2027-01-04T09:00Z"), at("2027-01-04T09:00Z"), at("2029-01-04T09:00Z"), None)
    assert planned.code is None
