"""The cursor: what was claimed is not passed over again, and what it left behind is found by a whole look."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

from backend.core import clock
from backend.core.database import db
from backend.core.leases import LeaseKeeper
from backend.services.delivery import claiming
from backend.services.delivery.cursor import WHOLE_LOOK_SECONDS, DueCursor
from tests.support import factories
from tests.support.engine import say

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


def row(number, lane=1, seconds=0, sender_id=7):
    return SimpleNamespace(id=number, lane=lane, sender_id=sender_id, due_at=NOON + timedelta(seconds=seconds))


def test_each_lane_of_each_sender_has_its_newest_place():
    cursor = DueCursor()
    cursor.advance([row(1), row(5, seconds=2), row(3, seconds=2), row(9, lane=2), row(4, sender_id=8)])
    assert sorted(cursor.of(7)) == [(1, NOON + timedelta(seconds=2), 5), (2, NOON, 9)]
    assert cursor.of(8) == ((1, NOON, 4),)
    assert cursor.of(99) == ()


def test_a_whole_look_comes_each_second_and_when_it_is_asked_for():
    cursor = DueCursor()
    cursor.begin(10.0)
    cursor.advance([row(1)])
    cursor.begin(10.0 + WHOLE_LOOK_SECONDS / 2)
    assert cursor.of(7)
    cursor.begin(10.0 + WHOLE_LOOK_SECONDS)
    assert cursor.of(7) == ()
    cursor.advance([row(1)])
    cursor.forget(7)
    assert cursor.of(7) == ()


def test_a_claim_begins_behind_the_cursor_and_keeps_the_order(everything, channel, home, bot):
    for number in range(6):
        say(factories.conversation(home, bot, str(number)), f"text {number}")
    keeper = LeaseKeeper(db.engine)
    epoch = keeper.acquire([bot.id])[0].epoch
    cursor = DueCursor()
    found = []
    for _ in range(4):
        want = claiming.Want(bot.id, epoch, 2, after=cursor.of(bot.id))
        with db.engine.begin() as connection:
            claimed = claiming.claim(connection, [want], [], clock.now())
        cursor.advance(claimed)
        found.append([one.body["parts"][0]["text"] for one in claimed if one.body])
    assert found == [["text 0", "text 1"], ["text 2", "text 3"], ["text 4", "text 5"], []]
    keeper.release([bot.id])
