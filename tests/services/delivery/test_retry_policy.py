"""What follows from each error, for kinds that may be repeated and kinds that may not."""

from __future__ import annotations

import pytest

from backend.channels.errors import OutcomeUnknown, RecipientUnreachable, Rejected, RetryLater, SenderDisabled
from backend.services.dispatch.retry_policy import MAX_ATTEMPTS, Next, backoff, decide


@pytest.mark.parametrize("at_most_once", [False, True])
def test_a_certain_failure_is_tried_again_for_every_kind(at_most_once):
    decision = decide(RetryLater(7, "rate_limited"), attempts=1, at_most_once=at_most_once)
    assert (decision.next, decision.seconds, decision.pause) == (Next.AGAIN, 7, 7)


def test_an_unreachable_provider_rests_the_sender_longer_each_time():
    rests = [
        decide(RetryLater(1, "connect_failed"), attempts=1, at_most_once=True, failures_in_row=row).pause
        for row in (1, 2, 3, 9)
    ]
    assert rests == [1, 2, 4, 30]


def test_a_chat_told_to_wait_does_not_stop_the_sender():
    decision = decide(RetryLater(5, "slow_mode", scope="chat"), attempts=1, at_most_once=False)
    assert (decision.pause, decision.chat_pause) == (0, 5)


def test_a_moved_chat_is_tried_again_at_once():
    decision = decide(RetryLater(0, "chat_migrated", scope="chat", moved_to="-100"), attempts=1, at_most_once=False)
    assert (decision.next, decision.moved_to, decision.seconds) == (Next.AGAIN, "-100", 0)


def test_our_own_lease_running_out_pauses_nobody():
    decision = decide(RetryLater(0, "deadline_passed"), attempts=1, at_most_once=True)
    assert (decision.next, decision.pause) == (Next.AGAIN, 0)


def test_an_unknown_outcome_is_repeated_only_where_it_may():
    assert decide(OutcomeUnknown("read_timeout"), attempts=1, at_most_once=False).next is Next.AGAIN
    assert decide(OutcomeUnknown("read_timeout"), attempts=1, at_most_once=True).next is Next.UNKNOWN
    given_up = decide(OutcomeUnknown("read_timeout"), attempts=MAX_ATTEMPTS, at_most_once=False)
    assert (given_up.next, given_up.code) == (Next.FAILED, "gave_up")


def test_permanent_errors_end_the_message_and_say_why():
    unreachable = decide(RecipientUnreachable("bot_blocked"), attempts=1, at_most_once=False)
    assert (unreachable.next, unreachable.blocks_chat, unreachable.code) == (Next.FAILED, True, "bot_blocked")
    topic = decide(RecipientUnreachable("topic_closed", disables_link=False), attempts=1, at_most_once=False)
    assert topic.blocks_chat is False
    assert decide(Rejected("too_long"), attempts=1, at_most_once=False).next is Next.FAILED


def test_a_disabled_sender_keeps_its_messages():
    decision = decide(SenderDisabled("token_revoked"), attempts=1, at_most_once=True)
    assert (decision.next, decision.disables_sender) == (Next.AGAIN, True)


def test_backoff_doubles_up_to_five_minutes():
    assert [backoff(n) for n in (0, 1, 2, 3, 20)] == [1, 1, 2, 4, 300]
