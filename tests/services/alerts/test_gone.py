"""An alert whose message was deleted by its reader, or can be edited no more: its news come by a new message."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from backend.core import events
from backend.core.database import db, system_scope, workspace_scope
from backend.models import Alert, AlertMessage, Message
from backend.services import alerts, delivery
from backend.services.alerts.lifecycle import actions
from backend.services.alerts.messages import publish
from backend.services.alerts.state import locked_alert
from backend.services.delivery.events import MessageGone
from tests.services.alerts.conftest import BY, Room, run_timers
from tests.support.engine import run_until
from tests.support.picky_channel import PickyChannel, refusal


@pytest.fixture
def channel(app: Flask) -> PickyChannel:
    return PickyChannel().install()


class Group:
    """The group that gets the alerts, and what it sees."""

    def __init__(self, app: Flask, room: Room, channel: PickyChannel) -> None:
        self.app, self.room, self.channel = app, room, channel

    def report(self, status: str = "firing", **fields: Any) -> alerts.Outcome:
        """The monitored thing fires or is over; everything that follows is sent."""
        made = self.room.raise_("Disk full", throttle_key="disk", status=status, **fields)
        self.settle()
        return made

    def settle(self) -> None:
        """Sends what waits and deals with what came of it, twice: an answer may lead to another message."""
        for _ in range(2):
            db.session.commit()
            run_until(self.app, lambda: self.room.waiting() == [])
            run_timers()
        run_until(self.app, lambda: self.room.waiting() == [])

    def delete(self) -> None:
        """Its readers delete everything."""
        self.channel.shown.clear()

    @property
    def sees(self) -> list[str]:
        """The first line of each message there."""
        return [content.text.partition("\n")[0] for content in self.channel.shown.values()]


@pytest.fixture
def group(app: Flask, room: Room, channel: PickyChannel) -> Group:
    return Group(app, room, channel)


def test_what_fires_again_within_the_minute_is_seen_though_the_message_was_deleted(group: Group) -> None:
    group.report()
    group.report("resolved")
    group.delete()
    group.report()
    assert group.sees == ["🟠 <b>Disk full</b> ×2"]
    assert len(group.room.alerts()) == 1
    assert group.room.alert().state == "firing"
    assert group.room.trace()[-1] == "message_gone"


def test_deleted_before_it_was_resolved_both_news_come_by_one_new_message(group: Group) -> None:
    group.report()
    group.delete()
    group.report("resolved")
    assert group.sees == ["✅ <b>Disk full</b>"]
    group.report()
    assert group.sees == ["🟠 <b>Disk full</b> ×2"]
    assert [op.kind for op in group.channel.accepted] == ["send", "send", "edit"]


def test_it_may_be_deleted_again_and_again(group: Group) -> None:
    for _ in range(3):
        group.report()
        assert group.sees[-1].startswith("🟠")
        group.delete()
        group.report("resolved")
        assert group.sees[-1].startswith("✅")
        group.delete()
    assert len(group.room.alerts()) == 1


def test_a_mere_count_does_not_bring_a_deleted_message_back(group: Group) -> None:
    group.report()
    group.delete()
    group.report()
    group.room.pass_time(10)
    group.settle()
    assert group.sees == []
    message = group.room.messages()[0]
    assert delivery.status_of(message).reason == "message_gone"
    # The next news do.
    group.report("resolved")
    assert group.sees == ["✅ <b>Disk full</b> ×2"]


def test_the_next_sound_is_a_message_of_its_own(group: Group) -> None:
    group.report()
    group.delete()
    group.room.pass_time(120)
    group.report()
    assert group.sees == ["🟠 <b>Disk full</b> ×2"]
    rows = db.session.scalars(select(AlertMessage).order_by(AlertMessage.id)).all()
    assert [row.superseded_at is None for row in rows] == [False, True]


@pytest.mark.parametrize(
    ("description", "code"),
    [
        ("message can't be edited", "message_locked"),
        ("MESSAGE_ID_INVALID", "message_gone"),
        ("there is no text in the message to edit", "message_locked"),
    ],
)
def test_every_edit_that_is_refused_for_good(group: Group, description: str, code: str) -> None:
    group.report()
    group.channel.judge = lambda op: refusal(f"Bad Request: {description}") if op.kind == "edit" else None
    group.report("resolved")
    assert group.sees[-1] == "✅ <b>Disk full</b>"
    assert len(group.sees) == 2
    assert delivery.status_of(group.room.messages()[0]).reason == code


def test_reopened_by_a_person(group: Group) -> None:
    group.report()
    group.report("resolved")
    group.delete()
    actions.apply(group.room.alert().id, "reopen", BY)
    group.settle()
    assert group.sees == ["🟠 <b>Disk full</b>"]


def test_its_recovery_comes_without_a_sound(group: Group) -> None:
    group.report()
    group.delete()
    group.report("resolved")
    (content,) = group.channel.shown.values()
    assert content.silent


def test_two_that_find_out_at_once_say_it_once(group: Group) -> None:
    """The refusal is dealt with by one process while news come by another: whoever is second finds it said."""
    group.report()
    message = group.room.messages()[0]
    message.gone_code = "message_gone"
    alert_id = group.room.alert().id
    (row,) = db.session.scalars(select(AlertMessage)).all()
    row.news_version = message.version + 1
    with system_scope("as the recording transaction tells it"):
        events.publish(MessageGone(message.id, "message_gone"))
        db.session.commit()
    with workspace_scope(group.room.home.id):
        publish.update_messages(locked_alert.by_id(alert_id), news=True)
        db.session.commit()
    run_timers()
    group.settle()
    assert len(db.session.scalars(select(Message)).all()) == 2
    assert db.session.get_one(Alert, alert_id).state == "firing"
