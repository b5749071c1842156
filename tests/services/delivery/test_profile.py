"""A dispatch loop with another profile: its channels, its leases, its executor, and the quotas it counts for."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select, text

from backend.channels.errors import OutcomeUnknown, Rejected
from backend.core import clock
from backend.core.database import db
from backend.core.leases import LONG, SHORT, LeaseKeeper
from backend.models import Attempt
from backend.services.delivery import quota
from backend.services.dispatch.executor import TimedExecutor
from backend.services.dispatch.profile import DispatchProfile
from tests.support import factories
from tests.support.engine import dispatching, idle, left, say, until
from tests.support.fake_channel import FakeChannel

pytestmark = pytest.mark.usefixtures("everything")

KEY = b"k" * 32
ACCOUNTS = DispatchProfile(channels=lambda: ("account",), lease=LONG, quota_key=lambda sender: KEY)


@pytest.fixture
def account(home):
    made = factories.bot(home, channel="account")
    FakeChannel("account").install()
    db.session.commit()
    return made


def test_a_loop_serves_the_channels_of_its_profile_only(app, channel, home, bot, account):
    other = FakeChannel("account").install()
    say(factories.conversation(home, bot, "1"), "by the bot")
    say(factories.conversation(home, account, "2"), "by the account")
    with dispatching(app, profile=ACCOUNTS):
        until(lambda: [row.sender_id for row in left()] == [bot.id])
    assert (channel.texts(), other.texts()) == ([], ["by the account"])


def test_a_loop_uses_the_executor_and_the_leases_of_its_profile(app, home, account):
    made: list[TimedExecutor] = []

    def executor(*given):
        made.append(TimedExecutor(*given))
        return made[0]

    profile = DispatchProfile(channels=lambda: ("account",), lease=LONG, executor=executor)
    say(factories.conversation(home, account), "hello")
    with dispatching(app, profile=profile):
        until(idle)
        lasts = db.session.execute(
            text("SELECT extract(epoch FROM until - clock_timestamp()) FROM sender_leases WHERE sender_id = :id"),
            {"id": account.id},
        ).scalar_one()
    assert len(made) == 1
    assert 30 < lasts <= 60


def test_renewing_and_stopping_early_follow_the_length_of_a_lease():
    assert (SHORT.renew_every / SHORT.seconds, SHORT.usable / SHORT.seconds) == (0.4, 0.8)
    assert (LONG.seconds, LONG.renew_every, round(LONG.usable, 3), LONG.grace) == (60.0, 15.0, 40.0, 15.0)


def test_a_successor_waits_longer_where_the_holder_did_not_give_its_lease_back(account):
    first, second = (LeaseKeeper(db.engine, name, terms=LONG) for name in ("first", "second"))
    first.acquire([account.id])
    set_until(account, "clock_timestamp() - interval '14 s'")
    assert second.acquire([account.id]) == []
    set_until(account, "clock_timestamp() - interval '16 s'")
    assert len(second.acquire([account.id])) == 1
    second.release([account.id])
    assert len(first.acquire([account.id])) == 1


def test_its_own_lease_comes_back_without_waiting(account):
    holder = LeaseKeeper(db.engine, "first", terms=LONG)
    (lease,) = holder.acquire([account.id])
    set_until(account, "clock_timestamp() - interval '1 s'")
    assert [found.epoch for found in holder.acquire([account.id])] == [lease.epoch]


def set_until(account, moment):
    db.session.execute(text(f"UPDATE sender_leases SET until = {moment} WHERE sender_id = {account.id}"))
    db.session.commit()


def test_what_was_accepted_or_is_unknown_uses_the_accounts_quota_and_a_refusal_gives_it_back(app, home, account):
    channel = FakeChannel("account").install()
    answers = {"unknown": OutcomeUnknown("read_timeout"), "refused": Rejected("too_long")}
    channel.script = lambda op: answers.get(op.content.text if op.content else "")
    for words in ("accepted", "unknown", "refused", "accepted too"):
        say(factories.conversation(home, account, words), words, at_most_once=True)
    with dispatching(app, profile=ACCOUNTS):
        until(idle)
    hour_ago = clock.now() - timedelta(hours=1)
    assert quota.count(KEY, ["test"], hour_ago) == 3
    assert quota.count(KEY, ["test"], hour_ago, refused=True) == 4
    assert quota.count(KEY, ["alert"], hour_ago) == 0
    assert quota.count(b"o" * 32, ["test"], hour_ago) == 0
    clock.move(3601)
    assert quota.uses(KEY, ["test"], clock.now() - timedelta(hours=1)) == []
    assert set(map(tuple, db.session.execute(select(Attempt.kind, Attempt.quota_key)))) == {("test", KEY)}


def test_an_accounts_key_is_the_same_wherever_it_is_connected_and_names_nobody(app):
    key = quota.key_of("telegram", "4711")
    assert key == quota.key_of("telegram", "4711") != quota.key_of("telegram", "4712")
    assert len(key) == 32


def test_a_try_after_a_refusal_uses_the_quota_once_and_a_long_message_too(app, home, account):
    channel = FakeChannel("account").install()
    refusals = iter([Rejected("later")])
    channel.script = lambda op: next(refusals, None)
    say(factories.conversation(home, account, "1"), "refused")
    with dispatching(app, profile=ACCOUNTS):
        until(idle)
        say(factories.conversation(home, account, "2"), "x" * 250)
        until(idle)
    assert len(channel.texts()) == 3
    assert quota.count(KEY, ["test"], clock.now() - timedelta(hours=1)) == 1


def test_a_quota_survives_the_deletion_of_whoever_it_was_used_by(app, home, account):
    say(factories.conversation(home, account), "hello")
    with dispatching(app, profile=ACCOUNTS):
        until(idle)
    db.session.execute(text("DELETE FROM messages"))
    db.session.execute(text("DELETE FROM senders"))
    db.session.commit()
    assert quota.count(KEY, ["test"], clock.now() - timedelta(hours=1)) == 1


def test_a_bots_attempts_count_for_no_account(app, channel, home, bot):
    say(factories.conversation(home, bot), "hello")
    with dispatching(app):
        until(idle)
    assert set(map(tuple, db.session.execute(select(Attempt.kind, Attempt.quota_key)))) == {("test", None)}
