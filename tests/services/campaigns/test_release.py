"""Campaigns carried out: pace, order, exactly once, and that it is what the simulation said."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import select

from backend.channels.errors import OutcomeUnknown, RecipientUnreachable, RetryLater
from backend.core import clock
from backend.core.database import db, system_scope, workspace_scope
from backend.models import Account, AccountFirstConnection, Campaign, Delivery
from backend.services.campaigns import ledger, simulation
from backend.services.housekeeping import rounds
from tests.support.campaigns import Named, Rig, minutes

HOUR = timedelta(hours=1)


def simulated(rig: Rig, campaign: Named) -> list[datetime]:
    with workspace_scope(rig.home.id):
        planned = simulation.simulate(rig.actor, campaign.id)
        db.session.rollback()
    return [item["planned_at"] for item in planned["recipients"]]


def near(moments: list[datetime], expected: list[datetime]) -> bool:
    """Whether they are the same to the minute, whatever the second at which a minute begins."""
    return len(moments) == len(expected) and all(
        timedelta(0) <= moment - wanted < timedelta(minutes=1) for moment, wanted in zip(moments, expected, strict=True)
    )


def test_twenty_five_people_ten_a_day_and_one_an_hour(rig: Rig) -> None:
    campaign = rig.draft(rig.people(25), "Hello {first_name}")
    expected = simulated(rig, campaign)
    start = clock.now()
    rig.launch(campaign)
    moments = rig.run()
    assert near(moments, expected), (minutes(moments), minutes(expected))
    assert near(moments, [start + timedelta(days=n // 10) + HOUR * (n % 10) for n in range(25)])
    assert rig.channel.texts() == [f"Hello Person{number}" for number in range(1, 26)]
    assert set(rig.states(campaign)) == {("sent", "accepted")}
    with workspace_scope(rig.home.id):
        assert db.session.get_one(Campaign, campaign.id, populate_existing=True).state == "finished"


def test_a_new_account_ramps(rig: Rig) -> None:
    with system_scope("a test"):
        row = db.session.get_one(AccountFirstConnection, rig.account.quota_key)
        row.first_connected_at = clock.now()
        db.session.commit()
    campaign = rig.draft(rig.people(8), "Hello")
    expected = simulated(rig, campaign)
    start = clock.now()
    rig.launch(campaign)
    moments = rig.run()
    assert near(moments, expected)
    assert near(moments, [start + timedelta(days=n // 3) + HOUR * (n % 3) for n in range(8)])


def test_follow_ups_in_their_window(rig: Rig) -> None:
    window = {"days": [0, 1, 2, 3, 4], "from": "09:00", "to": "18:00"}
    campaign = rig.draft(rig.people(12), "Hello {first_name}", "Again, {first_name}", window=window)
    expected = simulated(rig, campaign)
    rig.launch(campaign)
    moments = rig.run()
    assert near(moments, expected), list(zip(minutes(moments), minutes(expected), strict=False))
    assert len(moments) == 24
    assert set(rig.states(campaign)) == {("finished", "done")}


def test_a_refusal_keeps_the_hour_and_gives_the_day_back(rig: Rig) -> None:
    """Eleven go out in the day, of which one was refused: ten were accepted."""
    refused = [False]

    def script(op: object) -> RecipientUnreachable | None:
        if not refused[0]:
            refused[0] = True
            return RecipientUnreachable("privacy", disables_link=False)
        return None

    rig.channel.script = script
    campaign = rig.draft(rig.people(12), "Hello")
    start = clock.now()
    rig.launch(campaign)
    moments = rig.run()
    assert near(moments, [start + HOUR * n for n in range(1, 11)] + [start + HOUR * 25])
    assert rig.states(campaign)[0] == ("failed", "privacy")


def test_an_outcome_that_is_not_known_is_made_certain_within_the_hour(rig: Rig) -> None:
    """It goes again under the same place and our same id, which the provider takes once."""
    answers = iter([OutcomeUnknown("timeout")])
    rig.channel.script = lambda op: next(answers, None)
    campaign = rig.draft(rig.people(1), "Hello")
    start = clock.now()
    rig.launch(campaign)
    moments = rig.run()
    assert rig.states(campaign) == [("sent", "accepted")]
    assert moments[0] < start + HOUR
    assert rig.channel.texts() == ["Hello"]


def test_an_outcome_that_nobody_learns_waits_for_the_operator(rig: Rig) -> None:
    first = rig.people(2)
    rig.channel.script = lambda op: OutcomeUnknown("timeout") if op.content and "Person1" in op.content.text else None
    campaign = rig.draft(first, "Hello {first_name}", "Again")
    rig.launch(campaign)
    rig.run()
    assert rig.states(campaign) == [("unknown", "outcome_unknown"), ("finished", "done")]
    assert rig.channel.texts() == ["Hello Person2", "Again"]
    with workspace_scope(rig.home.id):
        row = ledger.resolve(rig.actor, campaign.id, rig.recipients(campaign)[0].id, "not_sent")
        assert (row.state, row.reason) == ("waiting", "queued")
        db.session.commit()
    rig.channel.script = None
    rig.run()
    assert set(rig.states(campaign)) == {("finished", "done")}


def test_an_account_that_is_limited_sends_nothing_until_a_person_decides(rig: Rig) -> None:
    campaign = rig.draft(rig.people(2), "Hello")
    rig.launch(campaign)
    with system_scope("a test"):
        account = db.session.get_one(Account, rig.account.id)
        account.campaigns_pause_reason, account.state = "peer_flood", "limited"
        db.session.commit()
    assert rig.run(until=clock.now() + timedelta(days=2)) == []
    with system_scope("a test"):
        account = db.session.get_one(Account, rig.account.id)
        account.campaigns_pause_reason, account.state = None, "connected"
        db.session.commit()
    assert len(rig.run()) == 2


def test_what_cannot_begin_is_taken_back_and_planned_anew(rig: Rig) -> None:
    """An account that has not caught up: nothing goes out, and nothing goes out at night because of it."""
    with system_scope("a test"):
        db.session.get_one(Account, rig.account.id).caught_up_at = None
        db.session.commit()
    campaign = rig.draft(rig.people(1), "Hello")
    rig.launch(campaign)
    rig.turn()
    assert rig.states(campaign) == [("sending", "under_way")]
    clock.move(3700)
    rounds.run(db.engine)
    assert rig.states(campaign)[0][0] == "waiting"
    with system_scope("a test"):
        assert list(db.session.scalars(select(Delivery.id))) == []
        db.session.get_one(Account, rig.account.id).caught_up_at = clock.now()
        db.session.commit()
    assert len(rig.run()) == 1
    assert rig.channel.texts() == ["Hello"]


def test_a_wait_of_the_provider_is_kept(rig: Rig) -> None:
    answers = iter([RetryLater(120, "rate_limited")])
    rig.channel.script = lambda op: next(answers, None)
    campaign = rig.draft(rig.people(1), "Hello")
    start = clock.now()
    rig.launch(campaign)
    moments = rig.run()
    assert len(moments) == 1
    assert moments[0] >= start + timedelta(hours=1), "a refusal, also for a while, keeps the hour"


def test_two_campaigns_of_an_account_share_its_hour(rig: Rig) -> None:
    first = rig.draft(rig.people(3), "First")
    second = rig.draft(rig.people(3, first=100), "Second")
    start = clock.now()
    rig.launch(first)
    rig.launch(second)
    moments = rig.run()
    assert near(moments, [start + HOUR * n for n in range(6)])
    assert rig.channel.texts() == ["First", "Second"] * 3
