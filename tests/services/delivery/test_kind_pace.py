"""Pace by kind: as many of a kind as its rate lets through, each waits once, and other kinds wait for none of it."""

from __future__ import annotations

import time
from itertools import pairwise

import pytest

from backend.channels.base import Content, Limits, Rate
from backend.core.database import db
from backend.services import delivery
from backend.services.dispatch.kind_pace import KindPace
from tests.support import factories
from tests.support.engine import fresh, idle, run_until, say


def near(value: float, expected: float) -> bool:
    return abs(value - expected) < 0.1


def test_what_is_over_the_rate_gets_the_moments_that_follow():
    pace = KindPace({"voice": (Rate(2, 1.0),)})
    assert [pace.wait(number, ("send", "voice"), 10.0) for number in (1, 2)] == [0.0, 0.0]
    waits = [pace.wait(number, ("send", "voice"), 10.0) for number in (3, 4, 5)]
    assert all(near(wait, expected) for wait, expected in zip(waits, (1.0, 1.0, 2.0), strict=True))
    assert pace.wait(6, ("send",), 10.0) == 0.0, "other kinds have no rate"
    assert pace.wait(3, ("send", "voice"), 10.0 + waits[0]) == 0.0, "its moment was kept for it"
    assert pace.wait(4, ("send", "voice"), 10.0 + waits[1]) == 0.0
    assert pace.wait(5, ("send", "voice"), 11.5) > 0, "who comes early has the same moment"
    assert near(pace.wait(7, ("send", "voice"), 11.5), 0.5 + 0.04)


def test_what_comes_late_moves_what_is_asked_for_after_it():
    pace = KindPace({"edit": (Rate(1, 1.0),)})
    assert pace.wait(1, ("edit",), 0.0) == 0.0
    assert near(pace.wait(2, ("edit",), 0.1), 0.9)
    assert pace.wait(2, ("edit",), 5.0) == 0.0
    assert near(pace.wait(3, ("edit",), 5.1), 0.9), "counted from when it really came"
    assert pace.wait(4, ("edit",), 20.0) == 0.0, "what was long ago is forgotten"


def test_all_of_several_rates_hold():
    pace = KindPace({"edit": (Rate(1, 1.0), Rate(2, 10.0))})
    waits = [pace.wait(number, ("edit",), 0.0) for number in range(3)]
    assert all(near(wait, expected) for wait, expected in zip(waits, (0.0, 1.0, 10.0), strict=True))


@pytest.mark.usefixtures("everything")
def test_the_loop_keeps_a_rate_of_edits_and_says_what_they_wait_for(app, channel, home, bot):
    messages = [say(factories.conversation(home, bot, str(number)), f"before {number}") for number in range(3)]
    run_until(app, idle)
    channel.limits = Limits(per_kind={"edit": (Rate(1, 0.4),)})
    for number, message in enumerate(messages):
        delivery.edit(fresh(message), Content(f"after {number}"))
        db.session.commit()
    late = say(factories.conversation(home, bot, "9"), "a message")
    moments: dict[str, float] = {}
    channel.script = lambda op: moments.update({op.content.text: time.monotonic()})
    run_until(app, idle)
    edits = sorted(at for text, at in moments.items() if text.startswith("after"))
    assert len(edits) == 3
    assert all(after - before >= 0.4 for before, after in pairwise(edits))
    assert moments["a message"] < edits[1]
    assert fresh(late).state == "sent"
