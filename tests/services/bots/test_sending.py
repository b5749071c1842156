"""One message for each chat, stored once for each key, in the bot's topic."""

from __future__ import annotations

from typing import Any

from flask import Flask
from sqlalchemy import func, select

from backend.channels.base import Content
from backend.channels.inbound import Chat
from backend.core.database import db, system_scope, workspace_scope
from backend.models import Conversation, Message, Sender, Workspace
from backend.services import conversations, delivery
from backend.services.bots.resolution import Target
from backend.services.bots.sending import kind_of, send_to_chats
from tests.support import engine, factories
from tests.support.fake_channel import FakeChannel
from tests.support.talking import commit


def target_of(of: Workspace, *chat_ids: str, thread_id: str | None = None) -> Target:
    return Target(factories.bot(of), chat_ids, thread_id, "database")


def stored() -> int:
    with system_scope("a test"):
        return db.session.execute(select(func.count()).select_from(Message)).scalar_one()


def chats_of(messages: list[Message]) -> list[Conversation]:
    with system_scope("a test"):
        return [db.session.get_one(Conversation, one.conversation_id) for one in messages]


def send(of: Workspace, target: Target, content: Content, **options: Any) -> list[Message]:
    with workspace_scope(of.id):
        return send_to_chats(target, content, **options)


def test_each_chat_gets_a_message_in_its_turn(home: Workspace) -> None:
    FakeChannel().install()
    made = send(home, target_of(home, "-1001234567890", "5", "@ops"), Content("Hello"), kind="test")
    assert [one.state for one in made] == ["queued"] * 3
    assert [(one.chat_id, one.kind) for one in chats_of(made)] == [
        ("-1001234567890", "supergroup"),
        ("5", "private"),
        ("@ops", "channel"),
    ]


def test_a_key_says_it_once_to_each_chat_whatever_the_list_has_become(home: Workspace) -> None:
    FakeChannel().install()
    target = target_of(home, "5", "6")
    first = send(home, target, Content("Hello"), kind="test", key="k")
    again = send(home, target, Content("Hello"), kind="test", key="k")
    more = Target(target.sender, ("7", "6", "5"), None, "database")
    last = send(home, more, Content("Hello"), kind="test", key="k")
    assert [one.id for one in again] == [one.id for one in first]
    assert [one.id for one in last[1:]] == [first[1].id, first[0].id]
    assert stored() == 3


def test_what_is_known_of_a_chat_stays(home: Workspace) -> None:
    FakeChannel().install()
    target = target_of(home, "-5001")
    chat = Chat("-5001", "supergroup", title="Team")
    conversations.find_or_create(target.sender, chat, workspace_id=home.id)
    (message,) = send(home, target, Content("Hello"), kind="test")
    (found,) = chats_of([message])
    assert (found.kind, found.title) == ("supergroup", "Team")


def test_a_blocked_chat_gets_a_message_that_says_so_and_the_others_get_theirs(home: Workspace) -> None:
    FakeChannel().install()
    target = target_of(home, "5", "6")
    delivery.block(target.sender.id, conversations.chat_hash(target.sender.channel, target.sender.id, "5"), "blocked")
    send(home, target, Content("Hello"), kind="test")
    delivery.block(target.sender.id, conversations.chat_hash(target.sender.channel, target.sender.id, "5"), "blocked")
    made = send(home, target, Content("Hello"), kind="test")
    assert [(one.state, one.error) for one in made] == [("canceled", "blocked"), ("queued", None)]


def test_the_topic_goes_with_the_message_also_when_it_is_edited_before_it_goes(app: Flask, home: Workspace) -> None:
    channel = FakeChannel().install()
    target = target_of(home, "-1001234567890", thread_id="42")
    (message,) = send(home, target, Content("Hello"), kind="test")
    with system_scope("a test"):
        delivery.edit(message, Content("Hello again " * 20))
    elsewhere = Target(target.sender, target.chat_ids, None, "database")
    send(home, elsewhere, Content("To everybody"), kind="test")
    commit()
    with system_scope("a test"):
        engine.run_until(app, engine.idle)
    assert [op.thread_id for op in channel.accepted] == ["42", "42", "42", None]


def test_kinds_follow_from_the_row_for_its_only_chat_and_else_from_the_id(home: Workspace) -> None:
    bot: Sender = factories.bot(home, chat_type="channel")
    with system_scope("a test"):
        bot.chat_ids = ("-1001234567890",)
    assert kind_of(bot, "-1001234567890") == "channel"
    assert [kind_of(bot, one) for one in ("5", "-5", "-1009999999999", "@ops")] == [
        "private",
        "group",
        "supergroup",
        "channel",
    ]
