"""Somebody who may no longer use the workspace is told nothing more, and what waited for them is not sent."""

from __future__ import annotations

from sqlalchemy import select

from backend.core.database import db, system_scope, workspace_scope
from backend.models import Message
from backend.services import delivery, notifications, senders
from backend.services.auth import people
from tests.http import callers
from tests.support import factories


def test_disabling_somebody_ends_what_waits_and_what_would_come(app):
    home = factories.workspace()
    admin = factories.user(home)
    leaver = factories.user(home, role="operator")
    bot = senders.ensure_environment_sender("telegram_bot")
    assert bot is not None
    factories.link(leaver, bot)
    db.session.commit()
    data = {"platform": "x", "error": "e"}
    with workspace_scope(home.id):
        assert notifications.report(factories.by("test"), "post_failure", leaver, data).decision == "queued"
        people.change(callers.acting(admin), leaver.id, disabled=True)
        db.session.commit()
        event = notifications.report(factories.by("test"), "post_failure", leaver, data, critical=True)
        assert (event.decision, event.reason) == ("suppressed", "disabled")
        message = db.session.execute(select(Message).where(Message.kind == "notification")).scalar_one()
        assert (message.state, delivery.status_of(message).reason) == ("canceled", "disabled")
    with system_scope("a test"):
        db.session.rollback()
