"""What follows from what the provider says of an account."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from backend.core import clock
from backend.core.database import db
from backend.models import Account, Sender
from backend.services.accounts import health
from backend.services.accounts.events import AccountStateChanged
from backend.services.accounts.health_policy import Consequence, consequence

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
REST = NOW + timedelta(hours=24)


@pytest.mark.parametrize(
    ("code", "options", "expected"),
    [
        ("peer_flood", {}, Consequence("limited", pauses=True)),
        ("user_restricted", {}, Consequence("limited", pauses=True)),
        ("frozen", {}, Consequence("frozen", pauses=True)),
        ("session_revoked", {}, Consequence("needs_login")),
        ("auth_key_duplicated", {}, Consequence("needs_login")),
        ("privacy", {}, Consequence()),
        ("flood_wait", {"seconds": 60}, Consequence("waiting", until=NOW + timedelta(seconds=60))),
        ("flood_wait", {"seconds": 60, "on_lookup": True}, Consequence(lookups_until=NOW + timedelta(seconds=60))),
        (
            "flood_wait",
            {"seconds": 3600},
            Consequence("waiting", NOW + HOUR, True, REST, REST + timedelta(days=7)),
        ),
        (
            "flood_wait",
            {"seconds": 5, "earlier_waits": [NOW - HOUR, NOW - 2 * HOUR]},
            Consequence("waiting", NOW + timedelta(seconds=5), True, REST, REST + timedelta(days=7)),
        ),
        (
            "flood_wait",
            {"seconds": 5, "earlier_waits": [NOW - HOUR, NOW - 25 * HOUR]},
            Consequence("waiting", until=NOW + timedelta(seconds=5)),
        ),
    ],
)
def test_each_signal_has_its_consequence(code: str, options: dict, expected: Consequence) -> None:
    assert consequence(code, NOW, **options) == expected


def test_a_flood_of_strangers_stops_campaigns_until_a_person_decides(
    account: Account, heard: Callable[..., list[AccountStateChanged]]
) -> None:
    changes = heard(AccountStateChanged)
    health.signal(account.sender_id, "peer_flood")
    db.session.commit()
    assert (account.state, account.reason) == ("limited", "peer_flood")
    assert health.campaigns_pause(account, clock.now() + timedelta(days=300)) == "account_limited"
    assert [(event.before, event.state) for event in changes] == [("connected", "limited")]
    # Catching up, or a short wait, does not lift it.
    health.connected(account)
    health.signal(account.sender_id, "flood_wait", seconds=30)
    assert account.state == "limited"
    health.resume_campaigns(account)
    assert (account.state, health.campaigns_pause(account, clock.now())) == ("connected", None)
    # The bot's own switch was never touched: what people write by hand goes on.
    assert db.session.get_one(Sender, account.sender_id).is_active


def test_three_waits_in_a_day_rest_the_account_and_then_keep_it_strict(account: Account) -> None:
    for _ in range(2):
        health.signal(account.sender_id, "flood_wait", seconds=10)
    assert health.campaigns_pause(account, clock.now()) is None
    health.signal(account.sender_id, "flood_wait", seconds=10)
    now = clock.now()
    assert health.campaigns_pause(account, now) == "account_limited"
    assert health.campaigns_pause(account, now + timedelta(hours=25)) is None
    assert account.strict_until is not None
    assert account.strict_until > now + timedelta(days=7)


def test_a_wait_on_looking_up_stops_only_looking_up(account: Account) -> None:
    health.signal(account.sender_id, "flood_wait", seconds=600, on_lookup=True)
    assert account.state == "connected"
    assert account.lookups_paused_until is not None


def test_a_revoked_session_stops_the_sender_and_stays(account: Account) -> None:
    health.signal(account.sender_id, "session_revoked")
    db.session.commit()
    sender = db.session.get_one(Sender, account.sender_id, populate_existing=True)
    assert (sender.is_active, sender.disabled_code) == (False, "session_revoked")
    health.signal(account.sender_id, "peer_flood")
    assert account.state == "needs_login"


def test_a_freeze_shows_its_dates_and_its_end_leaves_the_decision_to_a_person(account: Account) -> None:
    until = clock.now() + timedelta(days=7)
    health.note_freeze(account, clock.now(), until, "https://t.me/spambot?start=appeal")
    assert (account.state, account.until) == ("frozen", until)
    assert health.campaigns_pause(account, clock.now()) == "account_frozen"
    health.note_freeze(account, None, None, None)
    assert (account.state, account.reason) == ("limited", "was_frozen")
    assert health.campaigns_pause(account, clock.now()) == "account_limited"


def test_a_removed_account_hears_nothing_more(account: Account) -> None:
    account.deleted_at = clock.now()
    db.session.commit()
    health.signal(account.sender_id, "peer_flood")
    assert account.state == "connected"
    assert health.recent_signals(account.sender_id) == []
