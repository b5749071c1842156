"""What follows from a try: a table of cases."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from backend.services.outgoing_webhooks.retry_policy import DISABLED_FAILURES, WAITS, Decision, Outcome, decide, matches

NOW = datetime(2026, 2, 26, 10, 30, tzinfo=UTC)
S = timedelta(seconds=1)


@pytest.mark.parametrize(
    ("outcome", "attempts", "failures", "expected"),
    [
        (Outcome(200), 1, 0, Decision("delivered")),
        (Outcome(204), 9, 8, Decision("delivered")),
        (Outcome(400), 1, 1, Decision("due", "http_400", wait=10 * S)),
        (Outcome(302), 2, 2, Decision("due", "redirected", wait=30 * S)),
        (Outcome(500), 1, 1, Decision("due", "http_500", wait=10 * S, rest=5 * S)),
        (Outcome(code="timeout"), 1, 3, Decision("due", "timeout", wait=10 * S, rest=20 * S)),
        (Outcome(code="private_address"), 3, 40, Decision("due", "private_address", wait=120 * S, rest=300 * S)),
        (Outcome(429, retry_after=90), 1, 1, Decision("due", "http_429", wait=90 * S, rest=90 * S)),
        (Outcome(503, retry_after=10**9), 1, 1, Decision("due", "http_503", wait=3600 * S, rest=3600 * S)),
        (Outcome(400, retry_after=90), 1, 1, Decision("due", "http_400", wait=10 * S)),
        (Outcome(500), len(WAITS) + 1, 1, Decision("failed", "http_500", rest=5 * S)),
        (Outcome(410), 1, 1, Decision("failed", "http_410", disable="gone")),
    ],
)
def test_a_try_is_judged(outcome: Outcome, attempts: int, failures: int, expected: Decision) -> None:
    assert decide(outcome, attempts=attempts, failures=failures, failing_since=NOW, now=NOW) == expected


@pytest.mark.parametrize(
    ("days", "failures", "disabled"),
    [
        (2.99, 100, None),
        (3, DISABLED_FAILURES, "failing_for_long"),
        (30, DISABLED_FAILURES - 1, None),
    ],
)
def test_an_endpoint_is_disabled_after_failing_long_and_often(days: float, failures: int, disabled: str | None) -> None:
    since = NOW - timedelta(days=days)
    decided = decide(Outcome(500), attempts=1, failures=failures, failing_since=since, now=NOW)
    assert decided.disable == disabled


@pytest.mark.parametrize(
    ("pattern", "event", "expected"),
    [
        ("*", "post.published", True),
        ("post.*", "post.published", True),
        ("post.*", "poster.hung", False),
        ("post.published", "post.published", True),
        ("post.published", "post.failed", False),
    ],
)
def test_patterns_name_types(pattern: str, event: str, expected: bool) -> None:
    assert matches(pattern, event) is expected
