"""Everybody locks a message under way before its recipient, and the recipient before the campaign: whoever waits for a
message holds nothing that the recording of its outcome needs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import text

from backend.core import events
from backend.core.database import db, system_scope, workspace_scope
from backend.models import CampaignMessage
from backend.services.campaigns import ledger, lifecycle, records
from backend.services.contacts.events import ContactOptedOut
from backend.services.conversations.events import ContactWrote
from tests.support.campaigns import Named, Rig
from tests.support.installation import wait_for

WAITING = """
    SELECT count(*) FROM pg_stat_activity
     WHERE datname = current_database() AND wait_event_type = 'Lock' AND pid <> pg_backend_pid()
"""


@pytest.fixture
def under_way(rig: Rig) -> Named:
    """A campaign whose first message was given to the outbox, where it waits."""
    campaign = rig.launch(rig.draft(rig.people(2), "Hello"))
    assert rig.turn() == 1
    assert sorted(row.state for row in rig.recipients(campaign)) == ["sending", "waiting"]
    return campaign


def of_event(event: Any) -> Callable[[], object]:
    def hear() -> None:
        with system_scope("the intake serves all workspaces"):
            events.publish(event)

    return hear


def ways(rig: Rig, campaign: Named) -> dict[str, Callable[[], object]]:
    row = next(row for row in rig.recipients(campaign) if row.state == "sending")
    recipient_id, identity_id, contact_id = row.id, row.identity_id, row.contact_id
    return {
        "answer": of_event(ContactWrote(row.conversation_id or 0, identity_id, 1, "Tell me more")),
        "objection": of_event(ContactWrote(row.conversation_id or 0, identity_id, 1, "STOP")),
        "unsubscribed": of_event(ContactOptedOut(rig.home.id, contact_id)),
        "pause": lambda: lifecycle.pause(rig.actor.by, records.get(campaign.id, lock=True), "operator"),
        "cancel": lambda: lifecycle.cancel(rig.actor, campaign.id),
        "taken_out": lambda: ledger.take_out(rig.actor, campaign.id, recipient_id),
    }


def is_one_waiting() -> bool:
    db.session.execute(text("SELECT pg_stat_clear_snapshot()"))
    return bool(db.session.execute(text(WAITING)).scalar_one() == 1)


@contextmanager
def beside(rig: Rig, act: Callable[[], object]) -> Iterator[None]:
    """Does that in a transaction of its own, as another process would. Raises what it raises."""

    def run() -> None:
        with rig.app.app_context(), workspace_scope(rig.home.id):
            act()
            db.session.commit()

    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(run)
        yield
        done.result(60)


@pytest.mark.parametrize("way", ["answer", "objection", "unsubscribed", "pause", "cancel", "taken_out"])
def test_who_waits_for_a_message_keeps_neither_its_recipient_nor_its_campaign(
    rig: Rig, under_way: Named, way: str
) -> None:
    act = ways(rig, under_way)[way]
    db.session.rollback()
    with system_scope("as the recording of an outcome"):
        held = text("SELECT m.id FROM messages m JOIN campaign_messages c ON c.message_id = m.id FOR UPDATE OF m")
        assert len(db.session.execute(held).all()) == 1
        with beside(rig, act):
            wait_for(is_one_waiting, 20, "the other to wait")
            for table in ("campaign_recipients", "campaigns"):
                db.session.execute(text(f"SELECT id FROM {table} FOR UPDATE NOWAIT"))
            db.session.commit()
    taken_back = way != "taken_out"
    assert ("sending" in [state for state, _ in rig.states(under_way)]) is not taken_back
    with system_scope("a test"):
        assert db.session.query(CampaignMessage.state).scalar() == ("canceled" if taken_back else "sending")
