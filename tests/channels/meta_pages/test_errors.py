"""What a refusal of the Graph API means: a table of cases."""

from __future__ import annotations

from typing import Any

import pytest

from backend.channels.errors import ChannelError, OutcomeUnknown, Rejected, RetryLater, SenderDisabled
from backend.channels.meta_pages.errors import from_answer


def body(code: int, subcode: int | None = None, **more: Any) -> dict[str, Any]:
    said = {"message": "Said so", "type": "OAuthException", "code": code, "fbtrace_id": "A1"} | more
    return {"error": said | ({"error_subcode": subcode} if subcode else {})}


@pytest.mark.parametrize(
    ("status", "answer", "publishes", "kind", "code"),
    [
        (400, body(190), True, SenderDisabled, "token_refused"),
        (400, body(190, 463), True, SenderDisabled, "token_expired"),
        (400, body(4), True, RetryLater, "rate_limited"),
        (403, body(32), True, RetryLater, "rate_limited"),
        (400, body(613), True, RetryLater, "rate_limited"),
        (403, body(10), True, Rejected, "permission_missing"),
        (403, body(200), True, Rejected, "permission_missing"),
        (403, body(299), True, Rejected, "permission_missing"),
        (400, body(100), True, Rejected, "refused"),
        (400, body(506), True, Rejected, "duplicate_post"),
        (400, body(368), True, RetryLater, "temporarily_blocked"),
        (400, body(9007, 2207027), True, RetryLater, "media_processing"),
        (400, body(9, 2207042), True, RetryLater, "quota_reached"),
        (400, body(9004, 2207052), False, Rejected, "media_not_fetched"),
        (400, body(36003, 2207009), False, Rejected, "picture_refused"),
        (500, body(1), True, OutcomeUnknown, "platform_failed"),
        (500, body(1), False, RetryLater, "platform_failed"),
        (503, body(2), True, OutcomeUnknown, "platform_failed"),
        (400, body(99999, is_transient=True), True, OutcomeUnknown, "platform_failed"),
        (502, None, True, OutcomeUnknown, "platform_failed"),
        (502, None, False, RetryLater, "platform_failed"),
        (404, None, True, Rejected, "http_404"),
        (400, {"error": "text"}, True, Rejected, "http_400"),
        (400, body(424242), True, Rejected, "refused"),
        (400, {"error": {"code": True, "error_subcode": "x"}}, True, Rejected, "refused"),
    ],
)
def test_a_refusal_is_one_of_the_five(
    status: int, answer: Any, publishes: bool, kind: type[ChannelError], code: str
) -> None:
    error = from_answer(status, answer, publishes=publishes)
    assert type(error) is kind
    assert error.code == code


def test_a_wait_that_is_asked_for_is_kept_within_a_day() -> None:
    later = from_answer(400, body(4), publishes=True, retry_after="7")
    forever = from_answer(400, body(4), publishes=True, retry_after="1e12")
    odd = from_answer(400, body(4), publishes=True, retry_after="nan")
    assert isinstance(later, RetryLater)
    assert later.seconds == 7
    assert isinstance(forever, RetryLater)
    assert forever.seconds == 86_400
    assert isinstance(odd, RetryLater)
    assert odd.seconds == 300


def test_what_the_platform_says_to_people_is_kept_and_bounded() -> None:
    assert from_answer(400, body(100, error_user_msg="Too dark"), publishes=True).detail == "Too dark"
    assert len(from_answer(400, body(100, message="x" * 5000), publishes=True).detail) == 300


@pytest.mark.parametrize(
    ("asked", "seconds"),
    [
        ("99999999999999", 86_400.0),
        ("1e400", 86_400.0),
        ("inf", 300.0),
        ("-1", 300.0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 86_400.0),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 300.0),
    ],
)
def test_odd_waits(asked: str, seconds: float) -> None:
    error = from_answer(400, body(4), publishes=True, retry_after=asked)
    assert isinstance(error, RetryLater)
    assert error.seconds == seconds


@pytest.mark.parametrize("code", [10**400, -1, True, "4", 4.0, None, [4]])
def test_odd_codes_are_a_refusal_without_a_meaning(code: object) -> None:
    error = from_answer(400, {"error": {"code": code, "error_subcode": code, "message": "\ud800\x00"}}, publishes=True)
    assert error.code == "refused"
    assert error.detail.encode()
    assert "\x00" not in error.detail
