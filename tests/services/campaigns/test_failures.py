"""What goes wrong for one person, an account or a workspace stays there; each refusal ends in its state and words."""

from __future__ import annotations

from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import func, select, update

from backend.channels.errors import ChannelError
from backend.channels.telegram_user.errors import channel_error
from backend.core import clock, queue
from backend.core.database import db, system_scope, workspace_scope
from backend.models import Account, AccountLookup, Campaign, CampaignRecipient, Contact, ContactPoint, User, Workspace
from backend.services.accounts import integrations, lookups
from backend.services.campaigns import (
    discovery,
    ledger,
    lifecycle,
    outgoing,
    recipient_hours,
    records,
    simulation,
    states,
    wakening,
)
from backend.services.campaigns.rendering import Rendered
from backend.services.housekeeping import rounds
from tests.http import callers
from tests.support import accounts, factories
from tests.support.campaigns import Rig, minutes

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def refusal(word: str, code: int = 400) -> Any:
    """A refusal as the library gives it for a word that it has no class for."""
    return SimpleNamespace(message=word, code=code)


REFUSALS: dict[str, tuple[str, str]] = {
    "USER_PRIVACY_RESTRICTED": ("failed", "privacy"),
    "PRIVACY_PREMIUM_REQUIRED": ("skipped", "needs_premium"),
    "ALLOW_PAYMENT_REQUIRED_25": ("skipped", "costs_stars"),
    "USER_IS_BLOCKED": ("failed", "blocked"),
    "YOU_BLOCKED_USER": ("failed", "you_blocked"),
    "INPUT_USER_DEACTIVATED": ("failed", "deactivated"),
    "USER_DELETED": ("failed", "deactivated"),
    "CHAT_WRITE_FORBIDDEN": ("failed", "rejected"),
    "CHAT_RESTRICTED": ("failed", "rejected"),
    "PEER_ID_INVALID": ("failed", "peer_invalid"),
    "USER_ID_INVALID": ("failed", "peer_invalid"),
    "INPUT_USER_INVALID": ("failed", "peer_invalid"),
    "RECAPTCHA_CHECK_signup__KEY": ("failed", "rejected"),
    "MESSAGE_TOO_LONG": ("failed", "rejected"),
}


@pytest.mark.parametrize("word", REFUSALS)
def test_what_is_wrong_with_one_person_ends_for_that_person_alone(rig: Rig, word: str) -> None:
    answers = iter([channel_error(refusal(word))])
    rig.channel.script = lambda op: next(answers, None)
    campaign = rig.launch(rig.draft(rig.people(2), "Hello"))
    rig.run()
    assert rig.states(campaign) == [REFUSALS[word], ("sent", "accepted")]
    assert all(states.reason_text(REFUSALS[word][1], locale) for locale in ("en", "ko"))


WAITS = {"FLOOD_WAIT_600": 600, "FLOOD_PREMIUM_WAIT_300": 300, "SLOWMODE_WAIT_120": 120}


@pytest.mark.parametrize("word", WAITS)
def test_a_wait_is_kept_and_nothing_is_lost(rig: Rig, word: str) -> None:
    answers = iter([channel_error(refusal(word, 420))])
    rig.channel.script = lambda op: next(answers, None)
    start = clock.now()
    campaign = rig.launch(rig.draft(rig.people(1), "Hello"))
    (sent,) = rig.run()
    assert sent - start >= timedelta(seconds=WAITS[word])
    assert rig.states(campaign) == [("sent", "accepted")]


@pytest.mark.parametrize(
    "word",
    [
        "AUTH_KEY_UNREGISTERED",
        "SESSION_REVOKED",
        "SESSION_EXPIRED",
        "AUTH_KEY_DUPLICATED",
        "USER_DEACTIVATED",
        "USER_DEACTIVATED_BAN",
    ],
)
def test_what_is_wrong_with_the_session_keeps_everybody_waiting(rig: Rig, word: str) -> None:
    rig.channel.script = lambda op: channel_error(refusal(word, 401))
    campaign = rig.launch(rig.draft(rig.people(2), "Hello"))
    rig.run(most=1)
    assert {state for state, _ in rig.states(campaign)} <= {"waiting", "sending"}
    assert rig.channel.texts() == []
    _account(rig, state="needs_login")
    clock.move((outgoing.LIFE + HOUR).total_seconds())
    rounds.run_parts(rounds.PARTS, db.engine)
    assert {state for state, _ in rig.states(campaign)} == {"waiting"}


def test_one_poisonous_recipient_in_many_changes_nothing_for_the_others(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One whose message cannot be made, one whose zone no longer exists, and one of whom the channel says nonsense."""
    people = rig.people(6)
    with workspace_scope(rig.home.id):
        zone = update(Contact).where(Contact.id == people[1]).values(timezone="Atlantis/Capital")
        db.session.execute(zone.execution_options(synchronize_session=False))
        db.session.commit()
    render = outgoing.rendering.render

    def render_unless_poison(campaign: Any, step: Any, variant: Any, contact: Contact) -> Rendered:
        if contact.id == people[0]:
            raise ValueError("poison")
        return render(campaign, step, variant, contact)

    def script(op: Any) -> ChannelError | None:
        return channel_error(refusal("\x00NONSENSE\x00", -1)) if op.chat_id == str(5_000_003) else None

    monkeypatch.setattr(outgoing.rendering, "render", render_unless_poison)
    rig.channel.script = script
    start = clock.now()
    campaign = rig.launch(rig.draft(people, "Hello"))
    moments = rig.run()
    assert rig.states(campaign) == [
        ("failed", "internal_error"), ("sent", "accepted"), ("failed", "rejected"), *[("sent", "accepted")] * 3,
    ]  # fmt: skip
    assert [round((moment - start) / HOUR) for moment in moments] == [0, 2, 3, 4]
    with workspace_scope(rig.home.id):
        assert db.session.get_one(Campaign, campaign.id, populate_existing=True).state == "finished"


def test_numbers_of_which_telegram_says_nothing_keep_nobody_waiting(rig: Rig) -> None:
    with workspace_scope(rig.home.id):
        home = db.session.get_one(Workspace, rig.home.id)
        made = [
            accounts.point(home, "phone", f"+1202555{number}") for number in range(3000, 3000 + discovery.AHEAD + 2)
        ]
        people = [point.contact_id for point in made]
        point_ids = [point.id for point in made]
        db.session.commit()
    campaign = rig.launch(rig.draft(people, "Hello"))
    rig.turn()
    assert looked_up(rig) == set(point_ids[: discovery.AHEAD])
    with workspace_scope(rig.home.id):
        nothing = update(AccountLookup).values(
            state="done",
            result="unknown",
            finished_at=clock.now(),
            next_at=clock.now() + lookups.AGAIN_AFTER["unknown"],
        )
        db.session.execute(nothing.execution_options(synchronize_session=False))
        db.session.commit()
    clock.move(120)
    rig.turn()
    assert looked_up(rig) == set(point_ids)
    clock.move((discovery.GIVEN_UP_AFTER + HOUR).total_seconds())
    rig.turn()
    assert rig.states(campaign)[0] == ("skipped", "no_telegram")


def looked_up(rig: Rig) -> set[int]:
    with workspace_scope(rig.home.id):
        found = set(db.session.scalars(select(AccountLookup.contact_point_id)))
        db.session.rollback()
        return found


def test_the_same_account_in_a_second_workspace_has_the_same_hour(rig: Rig) -> None:
    first = rig.launch(rig.draft(rig.people(3), "Hello"))
    start = clock.now()
    with system_scope("a test"):
        home = factories.workspace()
        owner = factories.user(home, role="operator")
        again = accounts.account(home, owner, 777001, accounts.SESSION + "2", caught_up_at=clock.now())
        assert again.quota_key == rig.account.quota_key
        db.session.commit()
        second = Rig(
            rig.app,
            type(rig.home)(home.id),
            type(rig.account)(again.id, again.sender_id, again.quota_key),
            callers.acting(owner),
            rig.channel,
        )
    other = second.launch(second.draft(second.people(3, first=50), "Hello"))
    moments = rig.run()
    assert [round((moment - start) / HOUR) for moment in moments] == [0, 1, 2, 3, 4, 5]
    assert set(rig.states(first)) | set(second.states(other)) == {("sent", "accepted")}


def test_an_account_that_is_removed_and_connected_again_keeps_its_pace(rig: Rig) -> None:
    """What was sent counts on, the ramp does not begin again, and the campaign goes on from the account anew."""
    start = clock.now()
    campaign = rig.launch(rig.draft(rig.people(2), "Hello"))
    rig.run(until=start + timedelta(minutes=1))
    with workspace_scope(rig.home.id):
        integrations.remove(rig.actor, rig.account.sender_id, pending="pause", to=None)
        db.session.commit()
    assert rig.states(campaign)[1][0] == "waiting"
    with system_scope("a test"):
        home = db.session.get_one(Workspace, rig.home.id)
        owner = db.session.get_one(User, rig.actor.user_id)
        again = accounts.account(home, owner, 777001, accounts.SESSION + "3", caught_up_at=clock.now())
        new_sender = again.sender_id
        db.session.commit()
    with workspace_scope(rig.home.id):
        version = records.get(campaign.id).version
        records.change(rig.actor, campaign.id, version, {"account_id": new_sender})
        lifecycle.resume(rig.actor, campaign.id)
        db.session.commit()
    (moment,) = rig.run()
    assert timedelta(0) <= moment - start - HOUR < timedelta(minutes=1)
    assert set(rig.states(campaign)) == {("sent", "accepted")}


def test_an_account_that_logs_in_again_goes_on_where_it_was(rig: Rig) -> None:
    start = clock.now()
    campaign = rig.launch(rig.draft(rig.people(2), "Hello"))
    rig.run(until=start + timedelta(minutes=1))
    _account(rig, state="needs_login", reason="session_revoked")
    assert rig.run(until=start + 2 * HOUR) == []
    with workspace_scope(rig.home.id):
        page, _ = ledger.page(records.get(campaign.id), "en", state="waiting")
        assert [row["reason"] for row in page] == ["account_needs_login"]
        db.session.rollback()
    _account(rig, state="connected", reason=None)
    with system_scope("a test"):
        wakening.wake_account(rig.account.sender_id)
        db.session.commit()
    (moment,) = rig.run()
    assert timedelta(0) <= moment - start - 2 * HOUR < timedelta(minutes=1)


def _account(rig: Rig, **values: Any) -> None:
    with system_scope("a test"):
        changed = update(Account).where(Account.sender_id == rig.account.sender_id).values(**values)
        db.session.execute(changed.execution_options(synchronize_session=False))
        db.session.commit()


def test_an_emptied_valkey_changes_nothing(rig: Rig) -> None:
    start = clock.now()
    campaign = rig.launch(rig.draft(rig.people(3), "Hello"))
    for number in range(3):
        queue.connection().flushdb()
        rig.run(until=start + HOUR * number + timedelta(minutes=1))
    assert [round((moment - start) / HOUR) for moment in rig.moments()] == [0, 1, 2]
    assert set(rig.states(campaign)) == {("sent", "accepted")}


@pytest.mark.parametrize(
    ("zone", "first"),
    [("Europe/Berlin", "2027-03-27T08:00"), ("Europe/Berlin", "2027-10-30T08:00")],
)
def test_over_a_clock_change_what_happens_is_what_was_simulated(rig: Rig, zone: str, first: str) -> None:
    """From the day before a change: nine o'clock in the recipient's zone, on either side of it."""
    start = datetime.fromisoformat(first).replace(tzinfo=ZoneInfo(zone))
    clock.move((start - clock.now()).total_seconds())
    _account(rig, caught_up_at=clock.now())
    window = {"days": list(range(7)), "from": "09:00", "to": "11:00"}
    campaign = rig.draft(rig.people(5), "Hello", "Again", window=window)
    with workspace_scope(rig.home.id):
        planned = [item["planned_at"] for item in simulation.simulate(rig.actor, campaign.id)["recipients"]]
        db.session.rollback()
    rig.launch(campaign)
    moments = rig.run()
    assert [abs(moment - wanted) < timedelta(minutes=1) for moment, wanted in zip(moments, planned, strict=True)] == [
        True
    ] * 10
    local = {moment.astimezone(ZoneInfo(zone)).hour for moment in moments}
    assert local == {9, 10}, minutes(moments)
    offsets = {moment.astimezone(ZoneInfo(zone)).utcoffset() for moment in moments}
    assert len(offsets) == 2


def test_hours_of_a_zone_that_is_gone_are_a_guess(rig: Rig) -> None:
    (contact_id,) = rig.people(1)
    with workspace_scope(rig.home.id):
        contact = db.session.get_one(Contact, contact_id)
        contact.timezone = "Atlantis/Capital"
        db.session.flush()
        assert recipient_hours.keys_of([contact_id], "marketing", None) == {contact_id: ("UTC", True)}
        assert db.session.scalar(select(func.count(ContactPoint.id))) == 1
        assert db.session.scalar(select(func.count(CampaignRecipient.id))) == 0
        db.session.rollback()
