"""Edits and deletions: only the newest is said, and nothing is said again that must not be."""

from __future__ import annotations

import threading

import pytest
from sqlalchemy import select

from backend.channels.base import Content
from backend.channels.errors import OutcomeUnknown, Rejected
from backend.core.database import db
from backend.models import Message, MessagePart
from backend.services import delivery
from tests.support import factories
from tests.support.engine import dispatching, fresh, idle, left, run_until, say, until

pytestmark = pytest.mark.usefixtures("everything")


def change(message, text):
    delivery.edit(fresh(message), Content(text))
    db.session.commit()


def kinds(channel):
    return [op.kind for op in channel.accepted]


def test_an_edit_never_says_again_what_must_be_said_once_at_most(app, channel, home, bot):
    channel.script = lambda op: OutcomeUnknown("read_timeout")
    message = say(factories.conversation(home, bot), "once only", at_most_once=True)
    run_until(app, idle)
    channel.script = None
    change(message, "once only, edited")
    assert idle()
    assert fresh(message).state == "unknown"


def test_a_part_that_an_edit_adds_is_said_once_at_most_like_the_others(app, channel, home, bot):
    message = say(factories.conversation(home, bot), "short", at_most_once=True)
    run_until(app, idle)
    change(message, "x" * 150)
    assert {(row.operation, row.at_most_once) for row in left()} == {("edit", False), ("send", True)}


def test_a_message_that_was_taken_back_is_not_sent_again_by_an_edit(app, channel, home, bot):
    message = say(factories.conversation(home, bot), "oops")
    run_until(app, idle)
    delivery.delete(fresh(message))
    db.session.commit()
    change(message, "not again")
    run_until(app, idle)
    change(message, "nor now")
    run_until(app, idle)
    assert kinds(channel) == ["send", "delete"]


def test_taking_back_while_the_send_is_in_flight_deletes_it_afterwards(app, channel, home, bot):
    message = say(factories.conversation(home, bot), "oops")
    started, go_on = threading.Event(), threading.Event()

    def script(op):
        if op.kind == "send":
            started.set()
            assert go_on.wait(60)

    channel.script = script
    with dispatching(app):
        assert started.wait(60)
        delivery.delete(fresh(message))
        db.session.commit()
        go_on.set()
        until(idle)
    assert kinds(channel) == ["send", "delete"]


def test_a_refused_edit_does_not_swallow_the_newer_one(app, channel, home, bot):
    message = say(factories.conversation(home, bot), "v1")
    run_until(app, idle)
    started, go_on = threading.Event(), threading.Event()

    def script(op):
        if op.kind == "edit" and op.content.text == "v2":
            started.set()
            assert go_on.wait(60)
            return Rejected("cant_parse")
        return None

    channel.script = script
    change(message, "v2")
    with dispatching(app):
        assert started.wait(60)
        change(message, "v3")
        go_on.set()
        until(idle)
    assert channel.texts("edit") == ["v3"]
    assert db.session.execute(select(MessagePart.sent_version)).scalar_one() == 3


def test_shortening_and_lengthening_before_dispatch_keeps_every_part(app, channel, home, bot):
    message = say(factories.conversation(home, bot), "a" * 100 + "b")
    run_until(app, idle)
    change(message, "a")
    change(message, "a" * 100 + "c")
    run_until(app, idle)
    assert kinds(channel) == ["send", "send", "edit", "edit"]
    assert sorted(channel.texts("edit")) == ["a" * 100, "c"]


def test_a_part_that_returns_while_it_is_being_deleted_is_sent_anew(app, channel, home, bot):
    message = say(factories.conversation(home, bot), "a" * 100 + "b")
    run_until(app, idle)
    started, go_on = threading.Event(), threading.Event()

    def script(op):
        if op.kind == "delete":
            started.set()
            assert go_on.wait(60)

    channel.script = script
    change(message, "a")
    with dispatching(app):
        assert started.wait(60)
        change(message, "a" * 100 + "c")
        go_on.set()
        until(idle)
    assert channel.texts() == ["a" * 100, "b", "c"]
    parts = db.session.execute(select(MessagePart.part, MessagePart.external_id).order_by(MessagePart.part)).all()
    assert [part for part, _ in parts] == [0, 1]


def test_shortening_drops_an_edit_that_waits_for_a_part_that_falls_away(app, channel, home, bot):
    message = say(factories.conversation(home, bot), "a" * 100 + "b")
    run_until(app, idle)
    change(message, "a" * 100 + "c")
    change(message, "a")
    assert sorted((row.part, row.operation) for row in left()) == [(0, "edit"), (1, "delete")]


def test_editing_a_canceled_message_says_nothing(app, channel, home, bot):
    message = say(factories.conversation(home, bot), "never")
    delivery.cancel(fresh(message), "replied")
    db.session.commit()
    change(message, "still never")
    assert idle()
    assert db.session.get_one(Message, message.id).state == "canceled"


def test_an_edit_leaves_the_parts_alone_that_say_the_same(app, channel, home, bot):
    message = say(factories.conversation(home, bot), "a" * 100 + "b" * 100 + "c")
    run_until(app, idle)
    change(message, "a" * 100 + "B" * 100 + "c")
    assert [(row.part, row.operation) for row in left()] == [(1, "edit")]
    run_until(app, idle)
    assert channel.texts("edit") == ["B" * 100]
    change(message, "a" * 100 + "B" * 100 + "c")
    assert idle()


def test_a_part_whose_edit_still_waits_is_not_taken_for_unchanged(app, channel, home, bot):
    message = say(factories.conversation(home, bot), "a" * 100 + "b")
    run_until(app, idle)
    change(message, "A" * 100 + "b")
    change(message, "A" * 100 + "c")
    assert sorted((row.part, row.operation) for row in left()) == [(0, "edit"), (1, "edit")]
    run_until(app, idle)
    assert sorted(channel.texts("edit")) == ["A" * 100, "c"]


def test_a_message_that_goes_back_to_what_it_said_while_an_edit_is_in_flight_says_it_in_the_end(
    app, channel, home, bot
):
    message = say(factories.conversation(home, bot), "v1")
    run_until(app, idle)
    started, go_on = threading.Event(), threading.Event()

    def script(op):
        if op.kind == "edit" and not started.is_set():
            started.set()
            assert go_on.wait(60)

    channel.script = script
    change(message, "v2")
    with dispatching(app):
        assert started.wait(60)
        change(message, "v1")
        go_on.set()
        until(idle)
    assert channel.texts("edit") == ["v2", "v1"]
