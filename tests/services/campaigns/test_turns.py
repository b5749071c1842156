"""A turn of an account and what it hears meanwhile do not wait for each other in a circle."""

from __future__ import annotations

import threading
from datetime import timedelta

from sqlalchemy import select

from backend.core import clock
from backend.core.database import db, system_scope, workspace_scope
from backend.models import AccountLookup, CampaignRecipient, Workspace
from backend.services.accounts import access, lookups
from backend.services.campaigns import release
from tests.support import accounts
from tests.support.campaigns import Rig


def test_a_plan_passes_over_who_is_just_being_changed(rig: Rig) -> None:
    """Somebody else holds the second of three people: the others have their moment, and the turn waits for nobody."""
    campaign = rig.launch(rig.draft(rig.people(3), "Hello"))
    held, done = threading.Event(), threading.Event()
    second = rig.recipients(campaign)[2].id

    def hold() -> None:
        with rig.app.app_context(), system_scope("a test"):
            db.session.execute(select(CampaignRecipient).where(CampaignRecipient.id == second).with_for_update()).all()
            held.set()
            done.wait(20)
            db.session.rollback()

    holder = threading.Thread(target=hold)
    holder.start()
    try:
        assert held.wait(20)
        rig.turn()
        planned = [row.planned_at is not None for row in rig.recipients(campaign)]
    finally:
        done.set()
        holder.join(20)
    assert planned == [True, True, False]
    assert release.SHOWN >= 3


def test_a_look_up_that_was_cut_off_here_is_asked_again(rig: Rig) -> None:
    """Its answer could not be recorded: the same process, under the same lease, asks again."""
    with workspace_scope(rig.home.id):
        point = accounts.point(db.session.get_one(Workspace, rig.home.id), "phone", "+12025553001")
        lookups.request(rig.account.sender_id, [point.id])
        db.session.commit()
    with system_scope("a test"):
        account = access.of_sender(rig.account.sender_id)
        assert account is not None
        first = lookups.begin(account, 1, clock.now())
        assert first is not None
        db.session.commit()
        clock.move(4)
        assert lookups.begin(account, 1, clock.now()) is None
        clock.move(lookups.CUT_OFF_AFTER.total_seconds())
        again = lookups.begin(account, 1, clock.now())
        assert again is not None
        assert again.id == first.id
        assert lookups.finish(again.id, 1, "not_found")
        db.session.commit()
        clock.move(4)
        assert lookups.begin(account, 1, clock.now() + timedelta(seconds=4)) is None
        assert db.session.scalar(select(AccountLookup.state)) == "done"
