"""One holder at a time, and a number that says which."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from backend.core.database import db
from backend.core.leases import LEASE_SECONDS, LeaseKeeper
from tests.support import factories


@pytest.fixture
def bot(app):
    made = factories.bot(factories.workspace())
    db.session.commit()
    return made.id


@pytest.fixture
def keepers(bot):
    return LeaseKeeper(db.engine, "one"), LeaseKeeper(db.engine, "two")


def expire():
    with db.engine.begin() as connection:
        connection.execute(text("UPDATE sender_leases SET until = clock_timestamp() - interval '1 second'"))


def test_a_held_lease_is_not_taken_twice(bot, keepers):
    one, two = keepers
    assert [lease.epoch for lease in one.acquire([bot])] == [1]
    assert two.acquire([bot]) == []
    assert one.acquire([bot]) == []


def test_taking_over_raises_the_epoch_and_the_late_holder_finds_out(bot, keepers):
    one, two = keepers
    one.acquire([bot])
    expire()
    assert [lease.epoch for lease in two.acquire([bot])] == [2]
    one.renew()
    assert one.held() == {}
    two.renew()
    assert list(two.held()) == [bot]


def test_a_lease_that_ran_out_unnoticed_is_renewed_at_the_same_epoch(bot, keepers):
    one, two = keepers
    one.acquire([bot])
    expire()
    one.renew()
    assert one.held()[bot].epoch == 1
    assert two.acquire([bot]) == []


def test_a_released_lease_is_free_at_once(bot, keepers):
    one, two = keepers
    one.acquire([bot])
    one.release([bot])
    assert one.held() == {}
    assert [lease.epoch for lease in two.acquire([bot])] == [2]


def test_releasing_does_not_touch_a_successors_lease(bot, keepers):
    one, two = keepers
    one.acquire([bot])
    expire()
    two.acquire([bot])
    one.release([bot])
    assert LeaseKeeper(db.engine, "three").acquire([bot]) == []


def test_a_successor_need_not_wait_for_the_leases_of_one_that_has_ended(bot, keepers):
    one, two = keepers
    one.acquire([bot])
    successor = LeaseKeeper(db.engine, "three", predecessor="one")
    assert successor.acquire([bot]) == []
    successor.inherit()
    assert [lease.epoch for lease in successor.acquire([bot])] == [2]
    assert two.acquire([bot]) == []


def test_only_the_predecessors_leases_are_freed_and_only_once(bot, keepers):
    one, two = keepers
    two.acquire([bot])
    successor = LeaseKeeper(db.engine, "three", predecessor="one")
    successor.inherit()
    assert successor.acquire([bot]) == []
    two.release([bot])
    one.acquire([bot])
    successor.inherit()
    assert successor.acquire([bot]) == []


def test_the_holder_stops_before_the_database_would(bot, keepers, monkeypatch):
    one, _ = keepers
    lease = one.acquire([bot])[0]
    assert lease.holds()
    moment = lease.deadline - 0.8 * LEASE_SECONDS
    monkeypatch.setattr("backend.core.leases.time.monotonic", lambda: moment + 0.81 * LEASE_SECONDS)
    assert not lease.holds()
    assert one.held() == {}
