"""What follows a person's message by itself: assignment, the away text, answers that are late."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from backend.core import clock
from backend.core.database import db, system_scope, workspace_scope
from backend.core.work import Turn
from backend.models import Alert, Conversation, Message, User, Workspace
from backend.services.auth.attribution import of_user
from backend.services.inbox import (
    assignment,
    assignment_rules,
    availability,
    followups,
    handling,
    labels,
    late_answers,
    replies,
    settings,
)
from backend.services.inbox.replies import Reply
from tests.support import factories, inbox

ADMIN = factories.by("user:1")


@pytest.fixture
def home(app: Flask) -> Iterator[Workspace]:
    with system_scope("a test"):
        made = factories.workspace()
        db.session.commit()
    with workspace_scope(made.id):
        yield made


def person(home: Workspace, name: str, *, available: bool = True) -> User:
    made = factories.user(home, role="operator", name=name, password_hash="x")
    availability.put(of_user(made.id), available)
    return made


def rule(*people: User, **values: Any) -> int:
    given = {"name": "Rule", "user_ids": [it.id for it in people]} | values
    return assignment_rules.create(ADMIN, given).id


def follow() -> None:
    """Everything that is due behind the intake."""
    db.session.commit()
    for work in (followups.WORK, assignment.WORK, late_answers.WORK):
        while work.is_due():
            work.take_turn(Turn(seconds=60))


def assignee(chat: Conversation) -> int | None:
    return db.session.get_one(Conversation, chat.id, populate_existing=True).assignee_id


def sent(kind: str) -> list[str]:
    query = select(Message).where(Message.kind == kind).order_by(Message.id)
    return [message.body["parts"][0]["text"] for message in db.session.scalars(query)]


def test_conversations_go_round(home: Workspace) -> None:
    kim, lee = person(home, "Kim"), person(home, "Lee")
    rule(kim, lee)
    chats = [inbox.conversation(home) for _ in range(4)]
    for chat in chats:
        inbox.receive(chat)
    follow()
    assert [assignee(chat) for chat in chats] == [kim.id, lee.id, kim.id, lee.id]
    assert not assignment.WORK.is_due()


def test_who_waits_gets_somebody_when_somebody_is_there(home: Workspace) -> None:
    kim = person(home, "Kim", available=False)
    rule(kim)
    chat = inbox.conversation(home)
    inbox.receive(chat)
    follow()
    assert assignee(chat) is None
    availability.put(of_user(kim.id), True)
    follow()
    assert assignee(chat) == kim.id


def test_who_waits_longest_gets_the_room_that_frees(home: Workspace) -> None:
    kim = person(home, "Kim")
    rule(kim, capacity=1)
    first, second, third = (inbox.conversation(home) for _ in range(3))
    for chat in (first, third, second):
        inbox.receive(chat)
        clock.move(1)
    follow()
    assert [assignee(chat) for chat in (first, second, third)] == [kim.id, None, None]
    handling.close(of_user(kim.id), first.id)
    follow()
    assert [assignee(chat) for chat in (second, third)] == [None, kim.id]
    replies.write(of_user(kim.id), third.id, Reply("Yes"))
    handling.snooze(of_user(kim.id), third.id, None, until_reply=True)
    follow()
    assert assignee(second) == kim.id


def test_a_label_brings_the_rule_that_is_about_it(home: Workspace) -> None:
    kim = person(home, "Kim")
    label_id = labels.create(ADMIN, "urgent").id
    rule(kim, label_id=label_id)
    chat = inbox.conversation(home)
    inbox.receive(chat)
    follow()
    assert assignee(chat) is None
    labels.put(of_user(kim.id), chat.id, [label_id])
    follow()
    assert assignee(chat) == kim.id


def test_nobody_s_own_chat_is_given_away(home: Workspace) -> None:
    kim, lee = person(home, "Kim"), person(home, "Lee")
    rule(lee)
    chat = inbox.conversation(home, owner_user_id=kim.id, visibility="owner")
    inbox.receive(chat)
    follow()
    assert assignee(chat) is None


def test_an_absence_is_said_once(home: Workspace) -> None:
    week = {day: [["09:00", "18:00"]] for day in ("mon", "tue", "wed", "thu", "fri", "sat", "sun")}
    settings.change(ADMIN, {"working_hours": week, "timezone": "UTC", "away_text": "We are back at nine."})
    now = clock.now()
    night = datetime(now.year, now.month, now.day, 20, tzinfo=UTC) + timedelta(days=1)
    clock.move((night - now).total_seconds())
    chat = inbox.conversation(home)
    for _ in range(3):
        inbox.receive(chat)
        follow()
        clock.move(60)
    assert sent(followups.AWAY) == ["We are back at nine."]
    # It is no answer of a person: the person still waits.
    assert db.session.get_one(Conversation, chat.id, populate_existing=True).waiting_since is not None
    clock.move(14 * 3600)
    inbox.receive(chat)
    follow()
    assert len(sent(followups.AWAY)) == 1
    clock.move(10 * 3600)
    inbox.receive(chat)
    follow()
    assert len(sent(followups.AWAY)) == 2


def test_a_history_that_is_read_late_is_told_nothing(home: Workspace) -> None:
    closed = {"mon": [["00:00", "00:01"]]}
    settings.change(ADMIN, {"working_hours": closed, "timezone": "UTC", "away_text": "We are away."})
    chat = inbox.conversation(home, last_activity_at=clock.now() - timedelta(days=9))
    inbox.receive(chat, happened_at=clock.now() - timedelta(days=8))
    follow()
    assert sent(followups.AWAY) == []


def test_a_late_answer_is_an_alert_until_somebody_answers(home: Workspace) -> None:
    kim = person(home, "Kim")
    settings.change(ADMIN, {"first_response_minutes": 15, "next_response_minutes": 60})
    chat = inbox.conversation(home)
    inbox.receive(chat)
    follow()
    assert db.session.scalars(select(Alert)).all() == []
    clock.move(16 * 60)
    follow()
    follow()
    (alert,) = db.session.scalars(select(Alert)).all()
    assert (alert.severity, alert.state) == ("warning", "firing")
    assert f"conversation {chat.id}" in alert.title
    assert "Hello" not in alert.title
    # What the product says by itself stops no timer.
    inbox.say(chat, via=None, kind="notification")
    follow()
    assert db.session.get_one(Alert, alert.id, populate_existing=True).state == "firing"
    replies.write(of_user(kim.id), chat.id, Reply("Yes"))
    follow()
    assert db.session.get_one(Alert, alert.id, populate_existing=True).state == "resolved"
    # The next wait has a timer of its own, of another length.
    inbox.receive(chat, "And when?")
    clock.move(30 * 60)
    follow()
    assert db.session.get_one(Alert, alert.id, populate_existing=True).state == "resolved"
    clock.move(31 * 60)
    follow()
    states = [it.state for it in db.session.scalars(select(Alert).order_by(Alert.id))]
    assert "firing" in states


def test_new_aims_hold_for_who_waits_already(home: Workspace) -> None:
    settings.change(ADMIN, {"first_response_minutes": 60})
    chat = inbox.conversation(home)
    inbox.receive(chat)
    follow()
    clock.move(10 * 60)
    follow()
    assert db.session.scalars(select(Alert)).all() == []
    settings.change(ADMIN, {"first_response_minutes": 5})
    follow()
    assert len(db.session.scalars(select(Alert)).all()) == 1


def test_while_the_assistant_answers_nothing_is_late(home: Workspace) -> None:
    settings.change(ADMIN, {"first_response_minutes": 5})
    chat = inbox.conversation(home, status="bot")
    inbox.receive(chat)
    clock.move(3600)
    follow()
    assert db.session.scalars(select(Alert)).all() == []
