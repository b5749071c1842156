"""What follows when a platform did not publish, and what may be done when: tables of cases."""

from __future__ import annotations

from datetime import timedelta

import pytest

from backend.channels.errors import (
    ChannelError,
    OutcomeUnknown,
    RecipientUnreachable,
    Rejected,
    RetryLater,
    SenderDisabled,
)
from backend.core.errors import Conflict
from backend.services.posts.retry_policy import MAX_TRIES, Next, decide
from backend.services.posts.states import Action, may, require


def seconds(number: float) -> timedelta:
    return timedelta(seconds=number)


@pytest.mark.parametrize(
    ("error", "begun", "tries", "expected"),
    [
        (OutcomeUnknown("read_timeout"), True, 1, Next("unknown", "read_timeout")),
        (OutcomeUnknown("read_timeout"), True, 99, Next("unknown", "read_timeout")),
        (OutcomeUnknown("read_timeout"), False, 1, Next("scheduled", "read_timeout", wait=seconds(10))),
        (RetryLater(300, "rate_limited"), True, 1, Next("scheduled", "rate_limited", wait=seconds(300))),
        (RetryLater(2, "connect_failed"), True, 3, Next("scheduled", "connect_failed", wait=seconds(40))),
        (RetryLater(2, "connect_failed"), True, 15, Next("scheduled", "connect_failed", wait=seconds(3600))),
        (RetryLater(2, "connect_failed"), True, MAX_TRIES, Next("failed", "gave_up", "connect_failed")),
        (Rejected("refused", "Too dark"), True, 1, Next("failed", "refused", "Too dark")),
        (SenderDisabled("token_refused"), False, 1, Next("failed", "token_refused")),
        (RecipientUnreachable("blocked"), True, 1, Next("failed", "blocked")),
    ],
)
def test_an_error_has_one_consequence(error: ChannelError, begun: bool, tries: int, expected: Next) -> None:
    assert decide(error, begun=begun, tries=tries) == expected


STATES = ("draft", "scheduled", "publishing", "published", "failed", "unknown", "canceled")


@pytest.mark.parametrize(
    ("action", "allowed"),
    [
        ("change", {"draft", "scheduled"}),
        ("cancel", {"draft", "scheduled"}),
        ("retry", {"failed"}),
        ("resolve", {"unknown"}),
        ("result", {"publishing", "unknown"}),
    ],
)
def test_what_may_be_done_when(action: Action, allowed: set[str]) -> None:
    assert {state for state in STATES if may(state, action)} == allowed
    for state in set(STATES) - allowed:
        with pytest.raises(Conflict):
            require(state, action)
