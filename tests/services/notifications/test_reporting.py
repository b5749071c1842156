"""From an event to a message in the outbox, or to the reason why there is none."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select, text

from backend.channels.base import Content
from backend.core import clock, events
from backend.core.database import db, system_scope, workspace_scope
from backend.core.errors import Conflict, Invalid
from backend.models import Conversation, JobRun, Message, NotificationEvent, NotificationSubject, User
from backend.services import delivery, notifications
from backend.services.delivery.events import MessageFailed
from backend.services.notifications import custom_types, retry, settings
from tests.services.notifications.conftest import Reporter, mark_sent
from tests.support import factories
from tests.support.installation import wait_for


def at(hour: int, minute: int = 0) -> None:
    """Moves the clock to a time of the next day (UTC)."""
    now = clock.now()
    target = datetime(now.year, now.month, now.day, hour, minute, tzinfo=UTC) + timedelta(days=1)
    clock.move((target - now).total_seconds())


def quiet(person: User, start: str = "22:00", end: str = "07:00") -> None:
    settings.change(factories.by("test"), person, {"quiet_hours": {"start": start, "end": end}})


def test_an_event_becomes_a_message_to_the_linked_chat(report: Reporter, link: Any) -> None:
    event = report(data={"platform": "instagram", "content": "a < b"})
    (message,) = report.messages()
    assert (event.decision, event.reason, event.message_id) == ("queued", None, message.id)
    assert (message.conversation_id, message.user_id, message.kind) == (
        link.conversation_id,
        event.user_id,
        "notification",
    )
    assert report.text(message).startswith("✅ SNS post published\n\n📸 Instagram\n📝 a &lt; b\n⏰ ")
    assert report.deliveries() == [(message.id, "send", "queued")]


def test_the_message_is_in_the_persons_language(report: Reporter) -> None:
    report.person.locale = "ko"
    report("post_failure", {"platform": "Instagram", "error": "x"})
    assert report.text(report.messages()[0]).startswith("❌ SNS 게시 실패\n\n📱 플랫폼: Instagram\n⚠️ 오류: x\n")


def test_without_a_link_the_reason_is_recorded(stranger: Reporter) -> None:
    assert stranger.outcome() == ("suppressed", "not_linked")
    assert stranger.messages() == []


def test_without_a_bot_nobody_is_linked(home: Any) -> None:
    assert Reporter(factories.user(home)).outcome() == ("suppressed", "not_linked")


def test_a_link_with_another_bot_does_not_count(home: Any, bot: Any) -> None:
    other = factories.user(home)
    factories.link(other, factories.bot(home))
    assert Reporter(other).outcome() == ("suppressed", "not_linked")


def test_blocked_chats_and_paused_links_are_left_alone(report: Reporter, link: Any) -> None:
    link.paused_at = clock.now()
    assert report.outcome(critical=True) == ("suppressed", "paused")
    link.paused_at, link.state = None, "blocked"
    assert report.outcome(critical=True) == ("suppressed", "blocked")
    link.state = "active"
    delivery.block(link.sender_id, link.chat_hash, "bot_blocked")
    assert report.outcome() == ("suppressed", "blocked")
    assert report.messages() == []


def test_a_muted_type_is_suppressed_and_a_critical_event_passes(report: Reporter) -> None:
    settings.switch(factories.by("test"), report.person, "post_success", on=False)
    assert report.outcome() == ("suppressed", "muted")
    assert report.outcome("post_failure") == ("queued", None)
    assert report.outcome(critical=True) == ("queued", None)
    assert report.buttons(report.messages()[-1]) == ["notify:unmute:post_success"]


def test_quiet_hours_defer_until_their_end_and_a_critical_event_passes(report: Reporter) -> None:
    quiet(report.person)
    at(23)
    assert report.outcome() == ("deferred", "quiet_hours")
    status = delivery.status_of(report.messages()[0])
    assert (status.reason, status.next_attempt_at and status.next_attempt_at.strftime("%H:%M")) == (
        "quiet_hours",
        "07:00",
    )
    assert report.outcome(critical=True) == ("queued", None)


def test_an_unknown_type_is_refused_and_nothing_is_stored(report: Reporter) -> None:
    with pytest.raises(Invalid) as caught:
        report("no_such_type")
    assert caught.value.code == "unknown_event_type"
    assert db.session.scalars(select(NotificationEvent)).all() == []


@pytest.mark.parametrize("name", ["alerts", "reports", "device_events", "new_message", "test"])
def test_what_other_features_send_cannot_be_reported(report: Reporter, name: str) -> None:
    with pytest.raises(Invalid):
        report(name)


def test_a_type_of_the_workspace_uses_its_templates(report: Reporter) -> None:
    custom_types.create(
        factories.by("test"),
        {
            "name": "order_received",
            "templates": {"en": "<b>Order {order.id}</b> from {who|somebody}"},
            "button_label": "Open {order.id}",
            "button_url": "https://shop.test/{order.id}",
        },
    )
    report.person.locale = "ko"
    assert report.outcome("order_received", {"order": {"id": "<7>"}}) == ("queued", None)
    (message,) = report.messages()
    assert report.text(message) == "<b>Order &lt;7&gt;</b> from somebody"
    assert report.buttons(message) == ["https://shop.test/%3C7%3E", "notify:mute:order_received"]


def test_a_template_whose_data_is_all_missing_says_the_title(report: Reporter) -> None:
    custom_types.create(factories.by("test"), {"name": "order", "title": "A & B", "templates": {"en": " <b>{x}</b> "}})
    report("order", {"x": " \n"})
    assert report.text(report.messages()[0]) == "A &amp; B"


def test_only_http_links_become_buttons(report: Reporter) -> None:
    report(data={"post_url": "https://example.com/p/1"})
    report(data={"post_url": "javascript:alert(1)"})
    first, second = report.messages()
    assert report.buttons(first) == ["https://example.com/p/1", "notify:mute:post_success"]
    assert report.buttons(second) == ["notify:mute:post_success"]


def test_retry_is_offered_only_where_somebody_can(report: Reporter) -> None:
    report("post_failure", {"post_id": 5})
    way = notifications.RetryHandler("test", lambda event: event.data.get("post_id") == 5, lambda event: None)
    notifications.register_retry(way)
    try:
        event = report("post_failure", {"post_id": 5})
        report("post_failure", {"post_id": 6})
        report("post_success", {"post_id": 5})
    finally:
        retry.unregister("test")
    offered = [[data for data in report.buttons(message) if "retry" in data] for message in report.messages()]
    assert offered == [[], [f"notify:retry:{event.id}"], [], []]


# --- subjects ---------------------------------------------------------------------------------------------


def test_a_later_event_of_a_subject_edits_the_message_already_sent(report: Reporter) -> None:
    first = report(data={"likes": 1}, subject="post:1", version=1)
    mark_sent(report.messages()[0])
    second = report(data={"likes": 2}, subject="post:1", version=2)
    (message,) = report.messages()
    assert (second.decision, second.message_id) == ("queued", first.message_id)
    assert "Likes: 2" in report.text(message)
    assert report.deliveries() == [(message.id, "edit", "queued")]


@pytest.mark.parametrize("version", [2, 1])
def test_an_older_or_equal_version_is_stale(report: Reporter, version: int) -> None:
    report(data={"likes": 2}, subject="post:1", version=2)
    assert report.outcome(data={"likes": 1}, subject="post:1", version=version) == ("suppressed", "stale_version")
    assert "Likes: 2" in report.text(report.messages()[0])


def test_events_without_a_version_are_always_newer_and_do_not_forget_the_last(report: Reporter) -> None:
    assert report.outcome(subject="s") == ("queued", None)
    assert report.outcome(subject="s", version=5) == ("queued", None)
    assert report.outcome(data={"content": "unversioned"}, subject="s") == ("queued", None)
    assert report.outcome(subject="s", version=4) == ("suppressed", "stale_version")
    assert "unversioned" in report.text(report.messages()[0])
    assert len(report.messages()) == 1


def test_subjects_of_different_people_and_names_are_apart(report: Reporter, home: Any, bot: Any) -> None:
    other = Reporter(factories.user(home))
    factories.link(other.person, bot, "5002")
    report(subject="s", version=9)
    other(subject="s", version=1)
    report(subject="t", version=1)
    report()
    assert len(report.messages()) == 4


@pytest.mark.parametrize("state", ["failed", "canceled", "unknown"])
def test_after_a_message_that_never_arrived_the_same_version_is_sent_anew(report: Reporter, state: str) -> None:
    report(subject="s", version=3)
    report.messages()[0].state = state
    assert report.outcome(subject="s", version=3) == ("queued", None)
    assert len(report.messages()) == 2
    assert report.outcome(subject="s", version=3) == ("suppressed", "stale_version")


def test_what_was_suppressed_does_not_count_as_told(report: Reporter) -> None:
    settings.switch(factories.by("test"), report.person, "post_success", on=False)
    assert report.outcome(subject="s", version=1) == ("suppressed", "muted")
    settings.switch(factories.by("test"), report.person, "post_success", on=True)
    assert report.outcome(subject="s", version=1) == ("queued", None)


def test_in_another_chat_than_before_the_subject_begins_anew(report: Reporter, home: Any, link: Any, bot: Any) -> None:
    report(subject="s", version=1)
    chat = factories.conversation(home, bot, "5009")
    link.conversation_id, link.chat_hash = chat.id, chat.chat_hash
    db.session.flush()
    assert report.outcome(subject="s", version=1) == ("queued", None)
    assert [message.conversation_id for message in report.messages()][-1] == chat.id


def test_a_message_that_waits_for_the_morning_takes_later_events_in_and_a_critical_one_releases_it(
    report: Reporter,
) -> None:
    quiet(report.person)
    at(23)
    report(data={"likes": 1}, subject="s", version=1)
    assert report.outcome(data={"likes": 2}, subject="s", version=2) == ("deferred", "quiet_hours")
    (message,) = report.messages()
    assert "Likes: 2" in report.text(message)
    assert report.deliveries() == [(message.id, "send", "quiet_hours")]
    assert report.outcome(data={"likes": 3}, subject="s", version=3, critical=True) == ("queued", None)
    due = delivery.status_of(message).next_attempt_at
    assert due is not None
    assert due <= clock.now()
    assert report.deliveries() == [(message.id, "send", "queued")]


def test_an_edit_of_a_message_already_read_makes_no_sound_and_does_not_wait(report: Reporter) -> None:
    quiet(report.person)
    at(12)
    report(subject="s", version=1)
    mark_sent(report.messages()[0])
    at(23)
    assert report.outcome(subject="s", version=2) == ("queued", None)


def test_two_events_of_one_subject_at_once_make_one_message(app: Flask, report: Reporter) -> None:
    person_id, workspace_id = report.person.id, report.person.workspace_id
    db.session.commit()
    ready = threading.Barrier(2)

    def run(version: int) -> str:
        with app.app_context(), workspace_scope(workspace_id):
            user = db.session.get_one(User, person_id)
            ready.wait(60)
            event = notifications.report(
                factories.by("test"), "post_success", user, {"likes": version}, subject="s", version=version
            )
            db.session.commit()
            return event.decision

    with ThreadPoolExecutor(2) as pool:
        decided = list(pool.map(run, (1, 2)))
    assert decided[1] == "queued"
    db.session.rollback()
    (message,) = report.messages()
    row = db.session.scalars(select(NotificationSubject)).one()
    assert (row.version, row.message_id) == (2, message.id)
    assert "Likes: 2" in report.text(message)


def test_an_event_that_waits_for_another_of_its_subject_edits_the_message_that_this_has_made(
    app: Flask, report: Reporter
) -> None:
    person_id, workspace_id = report.person.id, report.person.workspace_id
    db.session.commit()

    def run() -> str:
        with app.app_context(), workspace_scope(workspace_id):
            user = db.session.get_one(User, person_id)
            event = notifications.report(
                factories.by("test"), "post_success", user, {"likes": 2}, subject="s", version=2
            )
            db.session.commit()
            return event.decision

    report(subject="s", version=1, data={"likes": 1})
    with ThreadPoolExecutor(1) as pool:
        second = pool.submit(run)
        wait_for(_somebody_waits, 30, "the second event to wait for the first")
        db.session.commit()
        assert second.result(60) == "queued"
    (message,) = report.messages()
    db.session.refresh(message)
    assert (message.version, "Likes: 2" in report.text(message)) == (2, True)


def _somebody_waits() -> bool:
    waiting = "SELECT count(*) FROM pg_locks l JOIN pg_stat_activity a USING (pid) WHERE NOT l.granted AND a.datname ="
    with system_scope("the server's own tables"):
        return bool(db.session.execute(text(f"{waiting} current_database()")).scalar_one())


# --- tests and failures -----------------------------------------------------------------------------------


def test_the_test_message_ignores_mutes_quiet_hours_and_pauses(report: Reporter, link: Any) -> None:
    quiet(report.person, "00:00", "23:59")
    link.paused_at = clock.now()
    message = notifications.send_test_message(factories.by("test"), report.person)
    assert (message.kind, report.deliveries()) == ("test", [(message.id, "send", "queued")])
    assert report.text(message) == "🧪 Test message\n\nThe Telegram connection is working! ✅"


def test_the_test_message_needs_a_link_that_works(stranger: Reporter, bot: Any) -> None:
    with pytest.raises(Conflict) as caught:
        notifications.send_test_message(factories.by("test"), stranger.person)
    assert caught.value.code == "not_linked"
    factories.link(stranger.person, bot, state="blocked")
    with pytest.raises(Conflict) as caught:
        notifications.send_test_message(factories.by("test"), stranger.person)
    assert caught.value.code == "blocked"


def test_a_failed_notification_stands_in_the_job_history(report: Reporter, home: Any) -> None:
    event = report()
    chat = db.session.get_one(Conversation, report.messages()[0].conversation_id)
    other = delivery.send(chat, Content("x"), kind="reply")
    with system_scope("as the dispatch loop publishes it"):
        for message_id in (event.message_id, other.id):
            events.publish(MessageFailed(message_id or 0, "chat_not_found"))
        (run,) = db.session.scalars(select(JobRun)).all()
    assert (run.job, run.state, run.code, run.workspace_id) == ("notification", "failed", "chat_not_found", home.id)
    assert run.subject == f"messages:{event.message_id}"


def test_every_message_belongs_to_its_event_for_good(report: Reporter) -> None:
    event = report()
    message = db.session.get_one(Message, event.message_id)
    again = delivery.send(
        db.session.get_one(Conversation, message.conversation_id),
        Content("other"),
        kind="notification",
        key=f"event:{event.id}",
    )
    assert again.id == message.id
