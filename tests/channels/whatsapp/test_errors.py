"""What WhatsApp's error codes mean: a table of cases, and words for each reason."""

from __future__ import annotations

from typing import Any

import pytest

from backend.channels.errors import (
    ChannelError,
    OutcomeUnknown,
    RecipientUnreachable,
    Rejected,
    RetryLater,
    SenderDisabled,
)
from backend.channels.graph.errors import Refusal
from backend.channels.whatsapp import errors
from backend.core import i18n
from backend.services.dispatch.retry_policy import decide


def refused(code: int, subcode: int = 0, status: int = 400, **more: Any) -> ChannelError:
    """The error of an answer with this code."""
    error = {"code": code, "error_subcode": subcode, "message": "Said so"} | more
    return errors.read(Refusal.of(status, {"error": error}, publishes=True))


@pytest.mark.parametrize(
    ("code", "kind", "reason"),
    [
        (190, SenderDisabled, "token_refused"),
        (10, SenderDisabled, "permission_missing"),
        (200, SenderDisabled, "permission_missing"),
        (131005, SenderDisabled, "permission_missing"),
        (131031, SenderDisabled, "account_restricted"),
        (131042, SenderDisabled, "payment_missing"),
        (133010, SenderDisabled, "number_not_registered"),
        (133005, SenderDisabled, "number_not_registered"),
        (4, RetryLater, "rate_limited"),
        (130429, RetryLater, "rate_limited"),
        (131056, RetryLater, "pair_rate_limited"),
        (131048, RetryLater, "spam_limited"),
        (1, RetryLater, "platform_failed"),
        (131000, RetryLater, "platform_failed"),
        (131047, Rejected, "window_closed"),
        (131026, RecipientUnreachable, "undeliverable"),
        (131049, RecipientUnreachable, "ecosystem_limit"),
        (131050, RecipientUnreachable, "marketing_stopped"),
        (100, Rejected, "refused"),
        (131053, Rejected, "media_refused"),
        (132000, Rejected, "template_refused"),
        (132001, Rejected, "template_unknown"),
        (132015, Rejected, "template_paused"),
        (999999, Rejected, "refused"),
    ],
)
def test_a_code_decides(code: int, kind: type[ChannelError], reason: str) -> None:
    for status in (400, 403, 500):
        error = refused(code, status=status)
        assert (type(error), error.code) == (kind, reason)
        assert "Said so" in error.detail
    assert errors.word_of(code) == reason


def test_an_error_without_a_code_switches_nothing_off() -> None:
    assert isinstance(refused(0, status=401), SenderDisabled)
    assert isinstance(refused(0, status=400), Rejected)
    assert isinstance(errors.read(Refusal.of(400, {"error": {"code": "190"}})), Rejected)
    assert isinstance(errors.read(Refusal.of(500, {"error": {}})), OutcomeUnknown)


def test_an_expired_token_says_so() -> None:
    assert refused(190, 463).code == "token_expired"


def test_only_one_person_waits_and_four_times_as_long_each_time() -> None:
    error = refused(131056)
    assert isinstance(error, RetryLater)
    assert error.scope == "chat"
    waits = [decide(error, attempts=tries, at_most_once=False).chat_pause for tries in (1, 2, 3, 4, 25)]
    assert waits == [1, 4, 16, 64, 86_400]
    assert decide(error, attempts=2, at_most_once=False).pause == 0


def test_nobody_is_cut_off_for_what_may_pass() -> None:
    for code in (131026, 131049, 131050, 130472, 131030):
        error = refused(code)
        assert isinstance(error, RecipientUnreachable)
        assert not error.disables_link


def test_what_has_no_code_may_come_from_something_in_between() -> None:
    assert isinstance(errors.read(Refusal.of(502, None)), OutcomeUnknown)
    assert isinstance(errors.read(Refusal.of(302, None)), RetryLater)
    assert isinstance(errors.read(Refusal.of(404, None)), Rejected)


@pytest.mark.parametrize("language", ["en", "ko"])
def test_every_reason_has_words(language: str) -> None:
    reasons = {reason for _, reason in errors._TABLE.values()} | {"template_refused", "token_expired"}
    assert [reason for reason in sorted(reasons) if f"delivery.reason.{reason}" not in i18n.catalog(language)] == []
