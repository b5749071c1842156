"""A message that its reader deleted swallows no news: they come by a new message, and by exactly one."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from backend.channels.errors import ChannelError
from backend.core.database import db, workspace_scope
from backend.models import Message, MessagePart, NotificationEvent, NotificationSubject, User
from backend.services import delivery, notifications
from backend.services.notifications import settings
from tests.services.notifications.conftest import Reporter
from tests.support import factories
from tests.support.engine import dispatching, idle, run_until, until
from tests.support.picky_channel import PickyChannel, refusal


@pytest.fixture
def channel(app: Flask) -> PickyChannel:
    return PickyChannel().install()


def shown(channel: PickyChannel) -> list[str]:
    """What the person sees, oldest first, by the number of likes."""
    return [content.text.partition("Likes: ")[2].split()[0] for content in channel.shown.values()]


class Feed:
    """Events about one post, each sent before the next."""

    def __init__(self, app: Flask, report: Reporter) -> None:
        self.app, self.report = app, report

    def tells(self, likes: int, **options: Any) -> NotificationEvent:
        """Reports the newest count and has everything sent."""
        event = self.report(data={"likes": likes}, subject="post:1", version=likes, **options)
        db.session.commit()
        run_until(self.app, idle)
        return db.session.get_one(NotificationEvent, event.id, populate_existing=True)


@pytest.fixture
def feed(app: Flask, channel: PickyChannel, report: Reporter) -> Feed:
    return Feed(app, report)


def newest(channel: PickyChannel) -> str:
    return list(channel.shown)[-1]


def test_news_of_a_deleted_message_come_by_a_new_one(channel: PickyChannel, feed: Feed) -> None:
    first = feed.tells(1)
    channel.delete(newest(channel))
    second = feed.tells(2)
    assert shown(channel) == ["2"]
    assert second.message_id != first.message_id
    assert (second.decision, second.reason) == ("queued", None)
    gone = db.session.get_one(Message, first.message_id)
    status = delivery.status_of(gone)
    assert (status.state, status.reason, status.error) == ("sent", "message_gone", None)
    assert [part.gone_code for part in db.session.scalars(select(MessagePart).order_by(MessagePart.message_id))] == [
        "message_gone",
        None,
    ]


def test_what_follows_edits_the_new_message(channel: PickyChannel, feed: Feed) -> None:
    feed.tells(1)
    channel.delete(newest(channel))
    second = feed.tells(2)
    third = feed.tells(3)
    assert third.message_id == second.message_id
    assert shown(channel) == ["3"]
    assert [op.kind for op in channel.accepted] == ["send", "send", "edit"]


def test_it_can_be_deleted_again_and_again(channel: PickyChannel, feed: Feed) -> None:
    for likes in range(1, 5):
        feed.tells(likes)
        assert shown(channel) == [str(likes)]
        channel.delete(newest(channel))
    assert [op.kind for op in channel.accepted] == ["send"] * 4


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (refusal("Bad Request: MESSAGE_ID_INVALID"), "message_gone"),
        (refusal("Bad Request: message can't be edited"), "message_locked"),
        (refusal("Bad Request: there is no text in the message to edit"), "message_locked"),
        (refusal("Bad Request: MESSAGE_EDIT_TIME_EXPIRED"), "message_locked"),
        (refusal("Bad Request: message thread not found"), "topic_not_found"),
    ],
)
def test_every_edit_that_is_refused_for_good_is_followed_by_a_message(
    channel: PickyChannel, feed: Feed, answer: ChannelError, code: str
) -> None:
    first = feed.tells(1)
    channel.judge = lambda op: answer if op.kind == "edit" else None
    feed.tells(2)
    assert [content.text.partition("Likes: ")[2] for content in channel.shown.values()][-1].startswith("2")
    assert delivery.status_of(db.session.get_one(Message, first.message_id)).reason == code
    assert len(channel.shown) == 2


def test_a_chat_that_is_gone_gets_no_further_message(channel: PickyChannel, feed: Feed) -> None:
    feed.tells(1)
    blocked = refusal("Forbidden: bot was blocked by the user", 403)
    channel.judge = lambda op: blocked
    feed.tells(2)
    assert len(feed.report.messages()) == 1
    assert feed.report.outcome(subject="post:1", version=3) == ("suppressed", "blocked")


def test_older_versions_stay_old_when_the_message_is_gone(channel: PickyChannel, feed: Feed) -> None:
    settings.change(factories.by("user:1"), feed.report.person, {"types": {"post_success": False}})
    settings.change(factories.by("user:1"), feed.report.person, {"types": {"post_success": True}})
    feed.tells(5)
    message = feed.report.messages()[0]
    message.gone_code = "message_gone"
    db.session.commit()
    assert feed.report.outcome(data={"likes": 4}, subject="post:1", version=4) == ("suppressed", "stale_version")
    assert feed.report.outcome(data={"likes": 6}, subject="post:1", version=6) == ("queued", None)
    assert len(feed.report.messages()) == 2


def test_a_person_who_muted_it_meanwhile_is_not_told_again(channel: PickyChannel, feed: Feed) -> None:
    feed.tells(1)
    channel.delete(newest(channel))
    event = feed.report(data={"likes": 2}, subject="post:1", version=2)
    settings.change(factories.by("user:1"), feed.report.person, {"types": {"post_success": False}})
    db.session.commit()
    run_until(feed.app, idle)
    assert shown(channel) == []
    assert db.session.get_one(NotificationEvent, event.id).message_id == feed.report.messages()[0].id


def test_a_deleted_message_without_news_is_let_alone(app: Flask, channel: PickyChannel, feed: Feed) -> None:
    """An edit that only switches a button is no news."""
    feed.tells(1)
    channel.delete(newest(channel))
    message = feed.report.messages()[0]
    content = channel.accepted[0].content
    assert content is not None
    from dataclasses import replace

    delivery.edit(message, replace(content, buttons=()))
    db.session.commit()
    run_until(app, idle)
    assert len(feed.report.messages()) == 1


def test_an_event_that_comes_while_the_refusal_is_recorded_makes_one_message(
    app: Flask, channel: PickyChannel, feed: Feed
) -> None:
    """Two processes: one records that the message is gone, the other takes the next event of the subject."""
    feed.tells(1)
    channel.delete(newest(channel))
    person_id, workspace_id = feed.report.person.id, feed.report.person.workspace_id
    refused, go_on = threading.Event(), threading.Event()

    def judge(op: Any) -> str | None:
        if op.kind == "edit":
            refused.set()
            assert go_on.wait(60)
        return None

    channel.judge = judge
    feed.report(data={"likes": 2}, subject="post:1", version=2)
    db.session.commit()

    def third() -> None:
        with app.app_context(), workspace_scope(workspace_id):
            user = db.session.get_one(User, person_id)
            notifications.report(factories.by("test"), "post_success", user, {"likes": 3}, subject="post:1", version=3)
            go_on.set()
            db.session.commit()

    with dispatching(app), ThreadPoolExecutor(1) as pool:
        assert refused.wait(60)
        pool.submit(third).result(60)
        until(idle)
    assert shown(channel) == ["3"]
    assert [op.kind for op in channel.accepted].count("send") == 2
    subject = db.session.scalars(select(NotificationSubject)).one()
    assert (subject.version, subject.message_id) == (3, feed.report.messages()[-1].id)
