"""Parts are found by the provider's id alone, and an id that a provider gives a second time costs no message."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from backend.channels.base import Receipt
from backend.channels.inbound import Chat, MessageReceived, Person
from backend.core.database import db, system_scope
from backend.models import MessagePart
from backend.services import conversations
from tests.support import factories
from tests.support.engine import fresh, idle, run_until, say


@pytest.fixture(autouse=True)
def _everything(app):
    with system_scope("a test of all workspaces"):
        yield


def parts():
    db.session.rollback()
    rows = db.session.execute(select(MessagePart).order_by(MessagePart.message_id, MessagePart.part)).scalars()
    return [(row.message_id, row.part, row.box, row.external_id) for row in rows]


def test_a_supergroup_is_a_box_of_its_own_and_all_other_chats_share_one(app, channel, home, bot):
    chats = [
        factories.conversation(home, bot, "5001"),
        factories.conversation(home, bot, "-5002", kind="group"),
        factories.conversation(home, bot, "-1005003", kind="supergroup"),
        factories.conversation(home, bot, "-1005004", kind="channel"),
    ]
    for chat in chats:
        say(chat, "hello")
    run_until(app, idle)
    assert sorted(box for _, _, box, _ in parts()) == sorted(["", "", str(chats[2].chat_key), str(chats[3].chat_key)])


@pytest.mark.parametrize("at_once", [True, False])
def test_of_parts_with_one_id_the_newest_has_it_and_all_are_sent(app, channel, home, bot, at_once):
    channel.script = lambda op: Receipt(("77",)) if op.kind == "send" else None
    messages = []
    for number in range(4):
        messages.append(say(factories.conversation(home, bot, str(5001 + number)), "hello"))
        if not at_once:
            run_until(app, idle)
    run_until(app, idle)
    assert [fresh(message).state for message in messages] == ["sent"] * 4
    boxes = [box for _, _, box, _ in parts()]
    assert boxes.count("") == 1
    if not at_once:
        assert boxes == [None, None, None, ""]


def test_parts_of_one_message_with_one_id_are_kept(app, channel, home, bot):
    channel.script = lambda op: Receipt(("77",))
    message = say(factories.conversation(home, bot), "x" * 250)
    run_until(app, idle)
    assert fresh(message).state == "sent"
    assert [box for _, _, box, _ in parts()] == [None, None, ""]


def test_a_send_without_an_id_has_no_box(app, channel, home, bot):
    channel.script = lambda op: Receipt()
    say(factories.conversation(home, bot), "hello")
    say(factories.conversation(home, bot, "5002"), "hello")
    run_until(app, idle)
    assert [(box, external_id) for _, _, box, external_id in parts()] == [(None, ""), (None, "")]


def test_a_received_message_takes_an_id_over_too(home, bot):
    for chat_id in ("5001", "5002"):
        chat = factories.conversation(home, bot, chat_id)
        person = Person(chat_id, "Ann")
        conversations.record_inbound(chat, MessageReceived(Chat(chat_id, "private"), person, "9", text="hi"))
        db.session.commit()
    assert [(box, external_id) for _, _, box, external_id in parts()] == [(None, "9"), ("", "9")]


def test_two_workspaces_know_one_received_message(home, bot):
    for workspace in (home, factories.workspace()):
        chat = factories.conversation(workspace, bot, "5001")
        event = MessageReceived(Chat("5001", "private"), Person("5001", "Ann"), "9", text="hi")
        conversations.record_inbound(chat, event)
        db.session.commit()
    assert [(box, external_id) for _, _, box, external_id in parts()] == [("", "9"), ("", "9")]
