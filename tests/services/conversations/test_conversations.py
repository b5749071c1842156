"""Conversations: one per chat and workspace, also when many ask at once; people known by keyed hashes."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from backend.channels.base import Content
from backend.channels.inbound import Chat, MessageReceived, Person, ReceivedMedia
from backend.core import clock, events
from backend.core.database import db, system_scope, workspace_scope
from backend.models import (
    Conversation,
    Delivery,
    Identity,
    LinkConfirmation,
    LinkToken,
    Message,
    Sender,
    TelegramLink,
    User,
    Workspace,
)
from backend.services import conversations, delivery
from backend.services.dispatch.events import ChatMoved
from tests.support import factories
from tests.support.talking import commit, group, private, somebody


def found(model: Any) -> list[Any]:
    with system_scope("a test"):
        query = select(model).order_by(model.id).execution_options(populate_existing=True)
        return list(db.session.execute(query).scalars())


def received(text: str = "hello", message_id: str = "1", **marks: Any) -> MessageReceived:
    return MessageReceived(private(), somebody(), message_id, text=text, **marks)


@pytest.fixture
def chat(home: Workspace, sender: Sender) -> Conversation:
    made = conversations.find_or_create(sender, private(), workspace_id=home.id, person=somebody())
    commit()
    return made


def test_a_chat_s_key_is_the_head_of_its_hash_and_fits_a_bigint() -> None:
    hashed = bytes([0xFF] * 8) + bytes(24)
    assert conversations.chat_key(hashed) == -1
    assert conversations.chat_key(bytes([0x7F] + [0xFF] * 7) + bytes(24)) == 2**63 - 1


def test_a_chat_s_hash_tells_senders_and_channels_apart(app: Flask) -> None:
    hashes = {
        conversations.chat_hash(channel, sender_id, chat_id)
        for channel in ("telegram_bot", "whatsapp")
        for sender_id in (1, 11)
        for chat_id in ("1", "12", "-1")
    }
    assert len(hashes) == 12


def test_a_bot_and_an_account_of_telegram_meet_the_same_people(app: Flask) -> None:
    assert conversations.identity_hash("telegram_bot", "5") == conversations.identity_hash("telegram_user", "5")
    assert conversations.identity_hash("telegram_bot", "5") != conversations.identity_hash("messenger", "5")
    assert conversations.identity_hash("messenger", "5", "page 1") != conversations.identity_hash("messenger", "5", "2")


def test_ids_are_stored_encrypted_and_names_followed(home: Workspace, sender: Sender, chat: Conversation) -> None:
    (person,) = found(Identity)
    assert (person.external_id, person.display_name, person.channel) == ("5001", "Sam", "telegram")
    assert (chat.chat_id, chat.title, chat.kind) == ("5001", "Sam", "private")
    assert b"5001" not in person.external_id_encrypted + chat.chat_id_encrypted
    renamed = Person("5001", "Samira", username="samira", language="ko")
    again = conversations.find_or_create(sender, private(5001, "Samira"), workspace_id=home.id, person=renamed)
    assert again.id == chat.id
    assert (again.title, found(Identity)[0].username) == ("Samira", "samira")


def test_two_workspaces_know_one_chat_under_one_key(home: Workspace, sender: Sender, chat: Conversation) -> None:
    other = factories.workspace()
    second = conversations.find_or_create(sender, private(), workspace_id=other.id, person=somebody())
    assert second.id != chat.id
    assert (second.chat_hash, second.chat_key) == (chat.chat_hash, chat.chat_key)
    assert [one.id for one in conversations.by_chat(sender.id, chat.chat_hash)] == [chat.id, second.id]
    assert conversations.find(sender, "5001", workspace_id=other.id) is second
    assert conversations.find(sender, "5002", workspace_id=other.id) is None


def test_a_group_s_author_is_not_the_group_s_identity(home: Workspace, sender: Sender) -> None:
    made = conversations.find_or_create(sender, group(), workspace_id=home.id, person=somebody())
    assert (made.identity_id, made.title) == (None, "Team")


def test_many_at_once_make_one_conversation_and_one_identity(app: Flask, home: Workspace, sender: Sender) -> None:
    def make() -> int:
        here = db.session.get_one(Sender, sender_id)
        return conversations.find_or_create(here, private(), workspace_id=home_id, person=somebody()).id

    sender_id, home_id = sender.id, home.id
    ids = at_once(app, make, 6)
    assert len(set(ids)) == 1
    assert len(found(Conversation)) == len(found(Identity)) == 1


def at_once(app: Flask, act: Callable[[], int], times: int) -> list[int]:
    """What `act` returned in as many transactions at once."""
    results: list[int] = []
    gate = threading.Barrier(times)

    def run() -> None:
        with app.app_context(), system_scope("a test"):
            db.session.connection()
            gate.wait(60)
            result = act()
            db.session.commit()
            results.append(result)

    threads = [threading.Thread(target=run) for _ in range(times)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(results) == times
    return results


# --- history ---


def test_an_inbound_message_is_kept_once_and_found_by_its_id(chat: Conversation) -> None:
    first = conversations.record_inbound(chat, received(reply_to="9"), identity_id=chat.identity_id)
    again = conversations.record_inbound(chat, received())
    assert first.id == again.id
    (message,) = found(Message)
    assert (message.direction, message.state, message.external_id, message.reply_to) == ("in", "received", "1", "9")
    assert message.body["identity_id"] == chat.identity_id
    at = conversations.message_at(chat, "1")
    assert at is not None
    assert at.id == message.id
    assert conversations.message_at(chat, "2") is None


def test_an_edit_changes_what_is_kept(chat: Conversation) -> None:
    conversations.record_inbound(chat, received("helo"))
    conversations.record_inbound(chat, received("hello", edited=True))
    (message,) = found(Message)
    assert (message.body["parts"][0]["text"], message.version) == ("hello", 2)


def test_files_are_kept_by_their_ids(chat: Conversation) -> None:
    photo = ReceivedMedia("photo", "AgAC", "u1", size=1234)
    message = conversations.record_inbound(chat, received("look", kind="photo", media=(photo,)))
    assert message.kind == "photo"
    assert message.body["parts"][0]["received"] == [
        {"kind": "photo", "external_file_id": "AgAC", "unique_id": "u1", "size": 1234}
    ]


def test_the_provider_s_time_moves_the_last_inbound_time_forward_only(chat: Conversation) -> None:
    now = clock.now()
    conversations.record_inbound(chat, received(date=now))
    clock.move(-100)
    conversations.record_inbound(chat, received(message_id="2", date=clock.now()))
    assert chat.last_inbound_at == now


# --- groups that become supergroups ---


@pytest.fixture
def team(home: Workspace, sender: Sender) -> Conversation:
    made = conversations.find_or_create(sender, group(), workspace_id=home.id)
    commit()
    return made


def test_everything_that_knew_the_old_chat_knows_the_new_one(
    home: Workspace, sender: Sender, ada: User, team: Conversation
) -> None:
    with workspace_scope(home.id):
        delivery.send(team, Content("news"), kind="notification")
        now = clock.now()
        db.session.add(
            TelegramLink(
                user_id=ada.id,
                sender_id=sender.id,
                conversation_id=team.id,
                chat_hash=team.chat_hash,
                linked_at=now,
            )
        )
        token = LinkToken(
            user_id=ada.id,
            sender_id=sender.id,
            token_hash=b"t" * 32,
            created_at=now,
            expires_at=now,
            used_at=now,
            used_chat_hash=team.chat_hash,
        )
        db.session.add(token)
        db.session.flush()
        for hashed in (team.chat_hash, conversations.chat_hash("telegram_bot", sender.id, "-1002001")):
            db.session.add(LinkConfirmation(token_id=token.id, chat_hash=hashed, conversation_id=team.id, asked_at=now))
        db.session.commit()
    assert conversations.rekey(sender.id, "-2001", "-1002001") == 1
    assert conversations.rekey(sender.id, "-2001", "-1002001") == 0
    commit()
    new = conversations.chat_hash("telegram_bot", sender.id, "-1002001")
    (chat,) = found(Conversation)
    assert (chat.chat_id, chat.kind, chat.chat_hash) == ("-1002001", "supergroup", new)
    assert [row.chat_key for row in found(Delivery)] == [conversations.chat_key(new)]
    assert found(TelegramLink)[0].chat_hash == new
    assert found(LinkToken)[0].used_chat_hash == new
    assert new in [row.chat_hash for row in found(LinkConfirmation)]


def test_messages_of_the_supergroup_that_came_first_join_the_group_s(
    home: Workspace, sender: Sender, team: Conversation
) -> None:
    newer = Chat("-1002001", "supergroup", title="Team 2")
    second = conversations.find_or_create(sender, newer, workspace_id=home.id)
    conversations.record_inbound(second, received("in the supergroup"))
    conversations.record_inbound(team, received("in the group"))
    commit()
    conversations.rekey(sender.id, "-2001", "-1002001")
    commit()
    (chat,) = found(Conversation)
    assert (chat.id, chat.title, chat.chat_id) == (team.id, "Team 2", "-1002001")
    assert {message.conversation_id for message in found(Message)} == {team.id}


def test_a_link_made_in_the_supergroup_meanwhile_counts(
    home: Workspace, sender: Sender, ada: User, eve: User, team: Conversation
) -> None:
    factories.link(eve, sender, "-1002001", state="active")
    with workspace_scope(home.id):
        db.session.add(
            TelegramLink(
                user_id=ada.id,
                sender_id=sender.id,
                conversation_id=team.id,
                chat_hash=team.chat_hash,
                linked_at=clock.now(),
            )
        )
        db.session.commit()
    conversations.rekey(sender.id, "-2001", "-1002001")
    commit()
    assert [link.user_id for link in found(TelegramLink)] == [eve.id]


def test_the_outbox_s_news_of_a_move_is_followed(sender: Sender, team: Conversation) -> None:
    with system_scope("as the outbox records"):
        events.publish(ChatMoved(sender.id, "-2001", "-1002001"))
    commit()
    assert found(Conversation)[0].chat_id == "-1002001"


@pytest.mark.parametrize(("old", "new"), [("-2001", "-2001"), ("-3", "-4")])
def test_a_move_of_an_unknown_chat_moves_nothing(sender: Sender, team: Conversation, old: str, new: str) -> None:
    assert conversations.rekey(sender.id, old, new) == 0
    assert conversations.rekey(999, "-2001", "-5") == 0
    assert found(Conversation)[0].chat_id == "-2001"


@pytest.mark.parametrize(
    ("old", "new"),
    [("5001", "-1002001"), ("-2001", "5002"), ("@team", "-1002001"), ("5001", "5002")],
)
def test_only_a_group_is_believed_to_move(
    home: Workspace, sender: Sender, ada: User, team: Conversation, old: str, new: str
) -> None:
    factories.link(ada, sender, "5001")
    before = {(row.chat_hash, row.kind) for row in found(Conversation)}
    assert conversations.rekey(sender.id, old, new) == 0
    commit()
    assert {(row.chat_hash, row.kind) for row in found(Conversation)} == before
    assert found(TelegramLink)[0].chat_hash == conversations.chat_hash("telegram_bot", sender.id, "5001")


@pytest.mark.parametrize("kind", ["private", "channel"])
def test_a_chat_of_another_kind_stays_whatever_its_id_looks_like(
    home: Workspace, sender: Sender, team: Conversation, kind: str
) -> None:
    with workspace_scope(home.id):
        db.session.get_one(Conversation, team.id).kind = kind
        db.session.commit()
    assert conversations.rekey(sender.id, "-2001", "-1002001") == 0
    assert found(Conversation)[0].chat_id == "-2001"
