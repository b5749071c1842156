"""What Telegram does besides answering: gaps, notices, freezes, limits on looking people up."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from backend.core.database import db
from backend.models import Account, Workspace
from backend.services.accounts import lookups
from backend.services.conversations.events import ContactWrote
from tests.services.sessions.conftest import ANN, BOB, CYD, Running, account_of, id_of, process
from tests.services.sessions.test_serving import chat_with, find_bob, say
from tests.support.accounts import point
from tests.support.engine import fresh, until
from tests.support.telegram_box import TelegramBox


def test_a_gap_that_telegram_does_not_list_is_closed_by_looking_into_known_chats(
    account: Account, home: Workspace, box: TelegramBox, running: Running, heard: Callable[..., list[Any]]
) -> None:
    find_bob(account, home, running)
    message = say(chat_with(account, id_of(box, BOB)), "Hello")
    with running():
        until(lambda: fresh(message).state == "sent", 30)
    box.control("PATCH", "/mtproto/settings", {"difference_limit": 2})
    wrote = heard(ContactWrote)
    for number in range(5):
        box.control("POST", f"/accounts/{BOB}/say", {"chat": ANN, "text": f"answer {number}"})
    before = account_of(account.sender_id).pts or 0
    with running():
        until(lambda: (account_of(account.sender_id).pts or 0) > before, 30)
        until(lambda: account_of(account.sender_id).caught_up_at is not None, 30)
    process()
    assert [event.text for event in wrote] == [f"answer {number}" for number in range(5)]
    assert fresh(message).state == "read"


def test_a_notice_and_a_freeze_are_kept_to_be_shown(account: Account, box: TelegramBox, running: Running) -> None:
    now = int(time.time())
    frozen = {"frozen_since": now, "frozen_until": now + 86_400, "appeal_url": "https://t.me/spambot"}
    box.control("PATCH", f"/accounts/{ANN}", frozen)
    box.control("POST", f"/accounts/{ANN}/notice", {"message": "Please mind the rules.", "type": "NOTICE"})
    with running():
        until(lambda: account_of(account.sender_id).state == "frozen", 30)
    known = account_of(account.sender_id)
    assert known.appeal_url == "https://t.me/spambot"
    assert known.freeze_until is not None
    assert known.campaigns_pause_reason == "frozen"


def test_hidden_numbers_and_limits_are_told_from_nobody(
    account: Account, home: Workspace, box: TelegramBox, running: Running
) -> None:
    box.control("PATCH", f"/accounts/{CYD}", {"hides_number": True})
    hidden, named, nobody = (
        point(home, "phone", CYD),
        point(home, "username", "bob_sim"),
        point(home, "username", "nobody_has_it"),
    )
    lookups.request(account.sender_id, [hidden.id, named.id, nobody.id])
    db.session.commit()
    with running():
        until(lambda: all(_result(account, place.id) for place in (hidden, named, nobody)), 60)
        results = [_result(account, place.id) for place in (hidden, named, nobody)]
        assert results == ["hidden_or_none", "found", "not_found"]
        fault = {
            "kind": "error",
            "method": "contacts.resolvePhone",
            "code": 420,
            "message": "FLOOD_WAIT_900",
            "count": 1,
        }
        box.control("POST", "/mtproto/faults", fault)
        bob = point(home, "phone", BOB)
        lookups.request(account.sender_id, [bob.id])
        db.session.commit()
        until(lambda: account_of(account.sender_id).lookups_paused_until is not None, 30)
    assert _result(account, bob.id) is None
    assert account_of(account.sender_id).state == "connected"


def _result(account: Account, point_id: int) -> str | None:
    db.session.rollback()
    db.session.expire_all()
    lookup = lookups.result_of(account.sender_id, point_id)
    return None if lookup is None else lookup.result
