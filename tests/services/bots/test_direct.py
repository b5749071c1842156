"""Saying something without an outbox: what is tried again, what never is, and the line that is left of it."""

from __future__ import annotations

import pytest

from backend.channels.base import Content, Operation, Receipt
from backend.channels.errors import (
    ChannelError,
    OutcomeUnknown,
    RecipientUnreachable,
    Rejected,
    RetryLater,
    SenderDisabled,
)
from backend.services.bots import send_without_db
from backend.services.bots.send_without_db import Said
from tests.support.fake_channel import FakeChannel

Answers = list[ChannelError | None]


def say(answers: Answers, text: str = "Hello", patience: float = 60.0) -> tuple[Said, FakeChannel, list[float]]:
    channel, rests, left = FakeChannel(), list[float](), list(answers)

    def script(op: Operation) -> Receipt | ChannelError | None:
        return left.pop(0) if left else None

    channel.script = script
    said = send_without_db.send(channel, "1:x", "5", Content(text), thread_id="7", patience=patience, rest=rests.append)
    return said, channel, rests


def test_a_text_goes_out_in_its_parts_and_topic() -> None:
    said, channel, rests = say([], "x" * 250)
    assert (said.message_ids, said.error, rests) == (("1001", "1002", "1003"), None, [])
    assert {(op.chat_id, op.thread_id) for op in channel.accepted} == {("5", "7")}


@pytest.mark.parametrize(
    ("answers", "patience", "rests", "error"),
    [
        ([RetryLater(3, "rate_limited")], 60, [3.0], None),
        ([RetryLater(2, "connect_failed"), RetryLater(2, "connect_failed")], 60, [2.0, 2.0], None),
        # At most three times.
        ([RetryLater(1, "connect_failed")] * 3, 60, [1.0, 1.0], "connect_failed"),
        # All rests together stay within the bound.
        ([RetryLater(61, "rate_limited")], 60, [], "rate_limited"),
        ([RetryLater(40, "rate_limited"), RetryLater(40, "rate_limited")], 60, [40.0], "rate_limited"),
        ([RetryLater(1, "rate_limited")], 0, [], "rate_limited"),
        # What may have been said, and what can never be, is not tried again.
        ([OutcomeUnknown("read_timeout")], 60, [], "read_timeout"),
        ([Rejected("text_too_long")], 60, [], "text_too_long"),
        ([RecipientUnreachable("blocked")], 60, [], "blocked"),
        ([SenderDisabled("token_refused")], 60, [], "token_refused"),
    ],
)
def test_only_what_was_certainly_not_said_is_tried_again(
    answers: Answers, patience: float, rests: list[float], error: str | None
) -> None:
    said, channel, rested = say(answers, patience=patience)
    assert rested == rests
    assert said.waited == sum(rests)
    assert (said.error and said.error.code) == error
    assert len(channel.accepted) == (0 if error else 1)


def test_it_stops_at_the_first_part_that_fails_and_tells_what_was_said() -> None:
    said, channel, _ = say([None, Rejected("refused")], "x" * 250)
    assert said.message_ids == ("1001",)
    assert len(channel.accepted) == 1


def test_a_group_that_became_a_supergroup_is_followed_for_all_parts() -> None:
    said, channel, rests = say([RetryLater(0, "chat_migrated", scope="chat", moved_to="-1009")], "x" * 250)
    assert said.error is None
    assert [op.chat_id for op in channel.accepted] == ["-1009"] * 3
    assert rests == [0.0]


@pytest.mark.parametrize(
    ("title", "severity", "expected"),
    [
        (None, None, "5 < 6 <b>"),
        ("Disk & co", None, "🔔 <b>Disk &amp; co</b>\n\n5 &lt; 6 &lt;b&gt;"),
        (None, "warning", "🟡 <b>[warning]</b>\n\n5 &lt; 6 &lt;b&gt;"),
        (" Disk ", "Critical", "🔴 <b>Disk [Critical]</b>\n\n5 &lt; 6 &lt;b&gt;"),
        ("Disk", "odd", "🔔 <b>Disk [odd]</b>\n\n5 &lt; 6 &lt;b&gt;"),
    ],
)
def test_an_alert_keeps_its_words_as_they_are(title: str | None, severity: str | None, expected: str) -> None:
    content = send_without_db.alert_content("5 < 6 <b>", title=title, severity=severity)
    assert content.text == expected
    assert content.format == ("html" if title or severity else "plain")


@pytest.mark.parametrize(
    ("said", "whole", "expected"),
    [
        ([Said(("1",), None, 0)], True, "message 1"),
        ([Said(("1", "2"), None, 0), Said(("3",), None, 0)], True, "messages 1, 2, 3"),
        ([Said((), SenderDisabled("token_refused"), 0)], False, "Telegram does not accept the token (token_refused)"),
        (
            [Said((), RetryLater(90, "rate_limited"), 0)],
            False,
            "Telegram asks to wait 90 seconds, which is too long",
        ),
        ([Said((), RetryLater(2, "connect_failed"), 4)], False, "Telegram cannot be reached (connect_failed)"),
        (
            [Said(("1",), None, 0), Said(("2",), OutcomeUnknown("read_timeout"), 0)],
            False,
            "chat 2 of 2: no answer came, so nobody knows whether it was sent (read_timeout) (sent: messages 1, 2)",
        ),
        (
            [Said((), Rejected("refused", "Bad Request: something new"), 0)],
            False,
            "Telegram refuses: refused: Bad Request: something new",
        ),
    ],
)
def test_one_line_says_what_became_of_it(said: list[Said], whole: bool, expected: str) -> None:
    assert send_without_db.summary(["-5"] * len(said), said) == (whole, expected)
