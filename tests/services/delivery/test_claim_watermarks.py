"""Floors: claims begin where the lanes begin, whatever was sent before, and nothing below is lost."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from backend.core import clock
from backend.core.database import db
from backend.core.leases import LeaseKeeper
from backend.services.dispatch import claims as claiming
from backend.services.dispatch.adaptive_interval import AdaptiveInterval
from backend.services.dispatch.claim_watermarks import BEGINNING, ClaimWatermarks
from tests.support import factories
from tests.support.engine import dispatching, fresh, idle, say, until

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
LATEST = (NOON - timedelta(seconds=5), 0)


def at(seconds, number=1):
    return (NOON + timedelta(seconds=seconds), number)


def test_an_unknown_sender_is_looked_at_from_the_beginning():
    assert ClaimWatermarks().of(7) == (BEGINNING, BEGINNING, BEGINNING)


def test_a_lane_begins_at_its_oldest_row_but_never_later_than_a_few_seconds_ago():
    floors = ClaimWatermarks()
    floors.note([7, 8], [(7, 1, at(-60, 4)), (7, 2, at(-1, 9)), (8, 0, at(30))], NOON, 10.0)
    assert floors.of(7) == (LATEST, at(-60, 4), LATEST)
    assert floors.of(8) == (LATEST, LATEST, LATEST)


def test_a_clock_that_is_set_back_takes_the_floors_with_it():
    floors = ClaimWatermarks()
    floors.note([7], [], NOON, 10.0)
    floors.note([7], [], NOON - timedelta(hours=1), 11.0)
    assert floors.of(7)[0] == (NOON - timedelta(hours=1, seconds=5), 0)


def test_oldest_rows_are_looked_for_now_and_then_and_at_once_of_a_new_sender():
    floors = ClaimWatermarks()
    floors.note([7], [], NOON, 10.0)
    assert floors.to_note([7], 10.1) == []
    assert floors.to_note([7, 8], 10.1) == [8]
    assert floors.to_note([7, 8], 10.25) == [7, 8]
    floors.forget(7)
    assert floors.to_note([7], 10.1) == [7]


def test_a_whole_look_forgets_the_floors_and_comes_each_second_while_it_is_cheap():
    floors = ClaimWatermarks()
    assert floors.full_scan_due(10.0)
    floors.record_full_scan(10.0, 10.01)
    floors.note([7], [], NOON, 10.0)
    assert not floors.full_scan_due(10.9)
    assert floors.of(7)[0] == LATEST
    assert floors.full_scan_due(11.0)
    assert floors.of(7)[0] == BEGINNING


@pytest.mark.parametrize(("took", "quiet_until"), [(0.0, 11.0), (0.01, 11.0), (0.5, 20.5), (3.0, 23.0), (20.0, 90.0)])
def test_a_look_takes_a_twentieth_of_the_time_at_most(took, quiet_until):
    rhythm = AdaptiveInterval(1.0)
    assert rhythm.due(10.0)
    rhythm.looked(10.0, 10.0 + took)
    assert not rhythm.due(quiet_until - 0.01)
    assert rhythm.due(quiet_until)


def texts_of(claimed):
    return [one.body["parts"][0]["text"] for one in claimed]


def claim(claims, bot, epoch, budget, floors):
    now = clock.now()
    with claims.begin() as connection:
        claimed = claiming.claim(
            connection, [claiming.ClaimRequest(bot.id, epoch, budget, floors=floors.of(bot.id))], [], now
        )
        floors.note([bot.id], claiming.oldest(connection, {bot.id: floors.of(bot.id)}), now, 0.0)
    return claimed


def test_claims_go_on_where_the_last_one_ended(everything, channel, claims, home, bot):
    for number in range(6):
        say(factories.conversation(home, bot, str(number)), f"text {number}")
    keeper = LeaseKeeper(db.engine)
    epoch = keeper.acquire([bot.id])[0].epoch
    floors = ClaimWatermarks()
    assert [texts_of(claim(claims, bot, epoch, 2, floors)) for _ in range(4)] == [
        ["text 0", "text 1"],
        ["text 2", "text 3"],
        ["text 4", "text 5"],
        [],
    ]
    keeper.release([bot.id])


def test_what_was_passed_over_holds_the_floor(everything, channel, claims, home, bot):
    """The second part of a chat in flight waits below what was claimed after it."""
    busy = factories.conversation(home, bot, "1")
    for words in ("first", "second"):
        say(busy, words)
    say(factories.conversation(home, bot, "2"), "elsewhere")
    keeper = LeaseKeeper(db.engine)
    epoch = keeper.acquire([bot.id])[0].epoch
    floors = ClaimWatermarks()
    assert texts_of(claim(claims, bot, epoch, 3, floors)) == ["first", "elsewhere"]
    db.session.execute(text("DELETE FROM deliveries WHERE state = 'sending'"))
    db.session.commit()
    assert texts_of(claim(claims, bot, epoch, 3, floors)) == ["second"]
    keeper.release([bot.id])


def test_a_row_that_comes_in_below_the_floor_is_found_by_a_whole_look(app, everything, channel, home, bot):
    with dispatching(app):
        say(factories.conversation(home, bot, "1"), "makes a floor")
        until(idle)
        late = say(factories.conversation(home, bot, "2"), "from a clock that is behind")
        db.session.execute(text("UPDATE deliveries SET due_at = due_at - interval '1 hour'"))
        db.session.commit()
        until(lambda: fresh(late).state == "sent", 15)
