"""A campaign over a real connection: people are found, written to once an hour, and an answer ends it for them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select

from backend.core import clock
from backend.core.database import db, workspace_scope
from backend.core.work import Turn
from backend.models import Account, CampaignRecipient, User, Workspace
from backend.services.campaigns import lifecycle, preflight, records, release, trials
from backend.services.contacts import records as contacts
from tests.http import callers
from tests.services.sessions.conftest import ANN, BOB, CYD, Running, duplicate_keys, process, sent_by
from tests.support import factories
from tests.support.campaigns import BASIS
from tests.support.engine import until
from tests.support.telegram_box import TelegramBox

HOUR = 3600


@pytest.fixture
def campaign_id(home: Workspace, account: Account, box: TelegramBox) -> int:
    """A campaign of two steps to Bob and Cyd, of whom only the numbers are known; it was launched."""
    owner = db.session.get_one(User, account.owner_user_id)
    owner.role = "operator"
    actor = callers.acting(owner)
    with workspace_scope(home.id):
        people = [
            contacts.create(factories.by(), {"first_name": name, "phone": phone, "timezone": "UTC"}).id
            for name, phone in (("Bob", BOB), ("Cyd", CYD))
        ]
        steps = [
            {"template": "Hello {first_name}", "delay_days": 0, "variants": []},
            {"template": "Again, {first_name}", "delay_days": 1, "variants": []},
        ]
        values = {
            "name": "Spring",
            "audience": {"contact_ids": people},
            "steps": steps,
            "account_id": account.sender_id,
            "lawful_basis": BASIS,
        }
        made = records.create(actor, values)
        found = preflight.make(actor, made.id)
        assert found.report["groups"]["unknown"] == 2
        lifecycle.launch(actor, made.id, found.id)
        db.session.commit()
        return made.id


def states(home: Workspace, campaign_id: int) -> list[tuple[str, str]]:
    db.session.rollback()
    with workspace_scope(home.id):
        query = select(CampaignRecipient.state, CampaignRecipient.reason).where(
            CampaignRecipient.campaign_id == campaign_id
        )
        return [(row.state, row.reason) for row in db.session.execute(query.order_by(CampaignRecipient.place))]


def texts(box: TelegramBox) -> list[str]:
    return [entry["text"] for entry in sent_by(box, ANN)]


def working(condition: Callable[[], Any]) -> Callable[[], bool]:
    """The condition, with the works of the campaigns and the intake done before each look, and two seconds that pass
    after it: a campaign that waits for something looks again after a minute. Three minutes pass at most, however slow
    the machine: after an hour the next message would go."""
    passed = 0

    def look() -> bool:
        nonlocal passed
        release.drain(Turn(60.0))
        process()
        came = bool(condition())
        if not came and passed < 180:
            clock.move(2)
            passed += 2
        return came

    return look


def test_people_are_found_written_to_and_an_answer_stops_the_follow_up(
    home: Workspace, campaign_id: int, box: TelegramBox, running: Running
) -> None:
    with running():
        until(working(lambda: len(texts(box)) == 1))
        box.control("POST", f"/accounts/{BOB}/say", {"chat": ANN, "text": "Tell me more"})
        until(working(lambda: states(home, campaign_id)[0] == ("replied", "replied")))
        assert texts(box) == ["Hello Bob"]
        clock.move(HOUR)
        until(working(lambda: len(texts(box)) == 2))
        clock.move(24 * HOUR)
        until(working(lambda: states(home, campaign_id)[1] == ("finished", "done")))
    assert texts(box) == ["Hello Bob", "Hello Cyd", "Again, Cyd"]
    assert not duplicate_keys(box)


def test_an_answer_while_nothing_ran_stops_the_follow_up_that_is_due_at_the_start(
    home: Workspace, campaign_id: int, box: TelegramBox, running: Running
) -> None:
    with running():
        until(working(lambda: states(home, campaign_id)[0] == ("sent", "previous_step")))
    box.control("POST", f"/accounts/{BOB}/say", {"chat": ANN, "text": "stop"})
    clock.move(25 * HOUR)
    with running():
        until(working(lambda: states(home, campaign_id)[0] == ("stopped", "opted_out")))
        until(working(lambda: "Hello Cyd" in texts(box)))
    assert texts(box) == ["Hello Bob", "Hello Cyd"]


def test_a_test_goes_to_saved_messages_and_counts_for_nothing(
    home: Workspace, account: Account, campaign_id: int, box: TelegramBox, running: Running
) -> None:
    owner = db.session.get_one(User, account.owner_user_id)
    with workspace_scope(home.id):
        trials.send_test(callers.acting(owner), campaign_id, contact_id=None, step=1)
        db.session.commit()
    with running():
        until(working(lambda: len(texts(box)) == 2))
    assert texts(box) == ["Hello Bob", "Hello Bob"]
    log = box.control("GET", "/mtproto/log", method="messages.sendMessage", account=ANN)["entries"]
    assert len({str(entry.get("peer") or entry.get("to")) for entry in log}) == 2, log
