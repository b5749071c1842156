"""An alert whose channel fails: the admins get it another way, and it is never silently dropped."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from backend.channels.errors import RetryLater
from backend.core import clock, config, events
from backend.core.database import db, system_scope
from backend.core.work import Turn
from backend.models import AlertFailure, AlertMessage, JobRun, Message, SenderLease
from backend.services import delivery, mail
from backend.services.alerts import bot_health, queries
from backend.services.bots.events import HealthCheckFailed, HealthCheckRecovered
from backend.services.delivery.events import MessageEnded
from backend.services.dispatch import recovery
from backend.services.senders.events import SenderStopped
from tests.services.alerts.conftest import GROUP, linked, run_timers, text_of
from tests.support import factories
from tests.support.engine import run_until
from tests.support.mail_server import mail_server


@pytest.fixture
def admin(home, default_bot):
    return linked(home, default_bot, "5010", name="Grace", role="admin")


def fail(message: Message, code: str = "chat_not_found") -> None:
    """What the recorder does when Telegram refuses a message for good."""
    with system_scope("the recorder serves all workspaces"):
        message.state, message.error = "failed", code
        db.session.flush()
        events.publish(MessageEnded(message.id, "failed", code))
        db.session.commit()


def job_runs() -> list[tuple[str, str | None, str | None]]:
    rows = db.session.scalars(select(JobRun).order_by(JobRun.id))
    return [(row.job, row.code, row.subject) for row in rows]


def test_a_message_that_failed_goes_to_the_admins(room, admin):
    room.raise_("Disk full")
    fail(room.messages()[0])
    run_timers()
    alert = room.alert()
    assert alert.undelivered_code == "chat_not_found"
    assert ("alert", "chat_not_found", f"alerts:{alert.id}") in job_runs()
    told = room.messages()[1]
    assert told.user_id == admin.id
    assert "could not be delivered by the bot “alerts” (chat_not_found)" in text_of(told)
    assert "Disk full" in text_of(told)
    (found, _) = queries.listing(state="undelivered")
    assert [one.alert.id for one in found] == [alert.id]


def test_a_failure_is_dealt_with_once(room, admin):
    room.raise_("Disk full")
    fail(room.messages()[0])
    run_timers()
    run_timers()
    assert len(room.messages()) == 2
    assert db.session.scalars(select(AlertFailure)).all() == []


def test_the_admins_message_follows_the_alert(room, admin, sent):
    room.raise_("Disk full")
    fail(room.messages()[0])
    run_timers()
    sent(room.messages()[1])
    room.raise_("Disk full", status="resolved")
    assert "✅ <b>Disk full</b>" in room.texts()[1]


def test_one_of_two_chats_that_fails_is_noted_and_disturbs_nobody(room, admin):
    room.sender.chat_ids = ("-2001", "-2002")
    room.raise_("Disk full")
    fail(room.messages()[0])
    run_timers()
    assert room.alert().undelivered_code is None
    assert len(room.messages()) == 2
    assert "message_failed" in room.trace()
    row = db.session.scalars(select(AlertMessage).order_by(AlertMessage.id).limit(1)).one()
    assert row.failed_code == "chat_not_found"


def test_a_bot_that_is_switched_off_is_no_error_of_the_callers(room, admin):
    room.sender.is_active = False
    db.session.commit()
    outcome = room.raise_("Disk full", bot_name="alerts")
    assert (outcome.decision, outcome.reason) == ("undelivered", "bot_inactive")
    assert room.messages()[0].user_id == admin.id


def test_no_bot_and_no_chats_at_all_still_stores_the_alert(home, admin):
    from tests.services.alerts.conftest import Room

    room = Room(home, factories.bot(home, name="unused"))
    outcome = room.raise_("Disk full")
    assert (outcome.decision, outcome.reason) == ("undelivered", "bot_not_found")
    assert room.messages()[0].user_id == admin.id


def test_without_any_admin_in_reach_it_stays_on_record(room):
    room.sender.is_active = False
    db.session.commit()
    room.raise_("Disk full")
    assert room.messages() == []
    assert room.alert().undelivered_code == "bot_inactive"
    assert ("alert", "bot_inactive", f"alerts:{room.alert().id}") in job_runs()
    assert "undelivered" in room.trace()


def test_a_bot_whose_token_is_refused_later_does_not_keep_the_alert_to_itself(room, admin):
    room.raise_("Disk full")
    with system_scope("the recorder serves all workspaces"):
        events.publish(SenderStopped(room.sender.id, "token_refused"))
        db.session.commit()
    run_timers()
    assert room.messages()[1].user_id == admin.id
    assert room.alert().undelivered_code == "token_refused"
    # It may still go out when the bot is back, and follows the alert.
    row = db.session.scalars(select(AlertMessage).order_by(AlertMessage.id).limit(1)).one()
    assert row.failed_code is None


def test_a_picture_that_may_not_be_posted_is_noted_and_the_alert_stands(room, admin):
    from backend.models import StoredFile
    from backend.services.notifications import Attachment

    file = StoredFile(key="k", filename="a.png", mime="image/png", size=9, sha256="0", created_at=clock.now())
    db.session.add(file)
    db.session.commit()
    room.raise_("Disk full", attachment=Attachment("photo", file_id=file.id))
    picture = room.messages()[1]
    assert (picture.body["parts"][0]["text"], picture.body["parts"][0]["caption_only"]) == ("📎 Disk full", True)
    fail(picture, "media_not_allowed")
    run_timers()
    assert room.trace()[-1] == "attachment_failed"
    assert (room.alert().undelivered_code, len(room.messages())) == (None, 2)


def test_an_alert_that_waited_too_long_is_no_longer_waited_for(room, admin):
    room.raise_("Disk full")
    clock.move(24 * 3600 + 1)
    db.session.commit()
    recovery.expire()
    run_timers()
    assert room.alert().undelivered_code == "expired"
    assert room.messages()[1].user_id == admin.id


def test_a_chat_that_is_blocked_before_the_alert_is_said(room, admin):
    room.raise_("First")
    from backend.models import Conversation

    chat = db.session.scalars(select(Conversation).where(Conversation.sender_id == room.sender.id)).one()
    delivery.block(room.sender.id, chat.chat_hash, "kicked")
    db.session.commit()
    run_timers()
    outcome = room.raise_("Second")
    assert (outcome.decision, outcome.reason) == ("undelivered", "kicked")
    assert [message.user_id for message in room.messages() if message.state == "queued"] == [admin.id, admin.id]


def test_the_admins_are_told_once_for_each_sound(room, admin):
    room.sender.chat_ids = ("-2001", "-2002")
    room.raise_("Disk full")
    for message in room.messages():
        fail(message)
    run_timers()
    assert [message.user_id for message in room.messages()[2:]] == [admin.id]


def test_a_delivery_that_works_again_clears_the_record(room, admin, sent):
    room.sender.is_active = False
    db.session.commit()
    room.raise_("Disk full")
    room.sender.is_active = True
    db.session.commit()
    clock.move(61)
    assert room.raise_("Disk full").decision == "sent"
    assert room.alert().undelivered_code is None


def test_a_subscriber_who_blocks_the_bot_is_no_failed_channel(room, ada, admin):
    from backend.services.notifications import settings

    settings.change(factories.by("user:1"), ada, {"types": {"alerts": True}})
    room.raise_("Disk full")
    fail(next(message for message in room.messages() if message.user_id == ada.id), "blocked")
    run_timers()
    assert room.alert().undelivered_code is None


def test_a_failing_health_check_is_raised_on_the_bot_for_health_and_ends_with_its_recovery(room, home):
    bot = factories.bot(home, name="health")
    bot.chat_ids = ("-4001",)
    db.session.commit()
    failing = {"workspace_id": home.id, "sender_id": 7, "bot_name": "deploy", "code": "webhook_failing"}
    with system_scope("the check serves all workspaces"):
        events.publish(HealthCheckFailed(**failing))
        events.publish(HealthCheckFailed(**failing))
        db.session.commit()
    alert = room.alert()
    assert (alert.bot_name, alert.severity, alert.source) == (bot_health.BOT, "critical", "system")
    assert room.items()[0].count == 2
    with system_scope("the check serves all workspaces"):
        events.publish(HealthCheckRecovered(home.id, 7, "deploy"))
        db.session.commit()
    assert room.alert().state == "resolved"


def test_without_a_bot_for_health_the_one_for_alerts_says_it(room, home):
    with system_scope("the check serves all workspaces"):
        failing = {"workspace_id": home.id, "sender_id": 7, "bot_name": "deploy", "code": "token_refused"}
        events.publish(HealthCheckFailed(**failing))
        db.session.commit()
    assert room.alert().bot_name == "alerts"
    assert len(room.messages()) == 1


def test_an_alert_that_no_bot_can_tell_the_admins_is_mailed(room, home, settings, monkeypatch):
    """Nobody is linked with the default bot."""
    admin = factories.user(home, role="admin", locale="en")
    db.session.commit()
    with mail_server() as server:
        monkeypatch.setattr(config, "_current", settings.model_copy(update={"smtp_url": server.url}))
        room.raise_("Disk full")
        fail(room.messages()[0])
        run_timers()
        mail.drain(Turn(60.0))
        run_timers()
        mail.drain(Turn(60.0))
    to_admin = [one for one in server.mails if one["To"] == admin.email]
    assert [one["Subject"] for one in to_admin] == ["Alert not delivered: Disk full"]
    assert "chat_not_found" in to_admin[0].get_content()


@pytest.fixture
def resting(app, channel, room):
    """Has Telegram tell the bot for alerts to rest for so many seconds when it next sends."""

    def rest(seconds: float) -> None:
        def script(op):
            return RetryLater(seconds, "rate_limited") if op.chat_id == GROUP else None

        channel.script = script
        room.raise_("First")
        run_until(
            app,
            lambda: db.session.scalar(select(SenderLease.paused_until).where(SenderLease.sender_id == room.sender.id)),
        )

    return rest


def test_a_bot_that_has_to_rest_for_hours_holds_no_alert_back_from_the_admins(room, admin, resting):
    resting(86_400)
    run_timers()
    assert room.alert().undelivered_code == "rate_limited"
    assert [message.user_id for message in room.messages()] == [None, admin.id]
    assert room.messages()[0].state == "queued"
    outcome = room.raise_("Second")
    assert (outcome.decision, outcome.reason) == ("undelivered", "rate_limited")
    assert "Second" in text_of(room.messages()[-1])
    assert room.messages()[-1].user_id == admin.id


def test_a_short_rest_is_no_failure(room, admin, resting):
    resting(60)
    run_timers()
    assert room.raise_("Second").decision == "sent"
    assert {one.undelivered_code for one in room.alerts()} == {None}


def test_what_went_out_before_its_failure_was_dealt_with_has_not_failed(room, admin, sent):
    room.raise_("Disk full")
    (message,) = room.messages()
    with system_scope("the recorder serves all workspaces"):
        events.publish(SenderStopped(room.sender.id, "token_refused"))
        db.session.commit()
    sent(message)
    run_timers()
    assert room.alert().undelivered_code is None
    assert db.session.scalars(select(AlertMessage.failed_code)).all() == [None]
