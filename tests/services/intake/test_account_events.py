"""What follows from the updates of a person's account."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from backend.channels.telegram_user import stored
from backend.core import clock
from backend.core.database import db, system_scope
from backend.core.work import Turn
from backend.models import Account, Conversation, Message, MessagePart, Sender, WebhookEvent
from backend.services import conversations, intake, senders
from backend.services.conversations.events import (
    ContactCalled,
    ContactReacted,
    ContactWrote,
    MessagesDeleted,
    OperatorWrote,
    ReadUpTo,
)
from backend.services.intake.event_store import store
from tests.support import accounts, factories
from tests.support.hearing import hearing

BOB = {"id": 777002, "name": "Bob", "username": "bob"}


@pytest.fixture
def account(app: Flask) -> Iterator[Account]:
    with system_scope("accounts of a test"):
        made = accounts.account(factories.workspace())
        db.session.commit()
        yield made


@pytest.fixture
def heard() -> Iterator[Callable[..., list[Any]]]:
    with hearing() as listen:
        yield listen


def arrive(account: Account, **update: Any) -> None:
    """Stores an update as the process does that fetched it, and processes it."""
    sender = senders.by_id(account.sender_id)
    assert sender is not None
    store(sender, stored.pack(update))
    db.session.commit()
    intake.drain(Turn(120.0))


def wrote(account: Account, number: int = 11, text: str = "hello", **more: Any) -> None:
    date = int(clock.unix())
    arrive(account, kind="message", chat=777002, id=number, person=BOB, text=text, date=date, **more)


def conversation(account: Account) -> Conversation:
    return db.session.scalars(select(Conversation).where(Conversation.sender_id == account.sender_id)).one()


def sent(account: Account, external_id: str) -> Message:
    """Our message that the provider has accepted."""
    chat = conversation(account)
    now = clock.now()
    fields = {"workspace_id": chat.workspace_id, "conversation_id": chat.id, "sender_id": chat.sender_id}
    made = Message(
        **fields,
        direction="out",
        kind="reply",
        state="sent",
        body={"parts": [{"text": "hi", "format": "plain"}]},
        external_id=external_id,
        created_at=now,
        sent_at=now,
    )
    db.session.add(made)
    db.session.flush()
    part = {"chat_key": chat.chat_key, "box": "", "external_id": external_id, "sent_version": 1, "sent_at": now}
    db.session.add(
        MessagePart(workspace_id=chat.workspace_id, sender_id=chat.sender_id, message_id=made.id, part=0, **part)
    )
    db.session.commit()
    return made


def test_what_a_person_writes_is_kept_and_said_once(account: Account, heard: Callable[..., list[Any]]) -> None:
    published = heard(ContactWrote)
    wrote(account)
    wrote(account)
    wrote(account, text="hello!", edited=1)
    chat = conversation(account)
    assert [(event.conversation_id, event.text, event.is_automatic) for event in published] == [
        (chat.id, "hello", False)
    ]
    assert published[0].identity_id == chat.identity_id
    message = db.session.scalars(select(Message).where(Message.conversation_id == chat.id)).one()
    assert message.body["parts"][0]["text"] == "hello!"


def test_an_away_message_says_that_nobody_wrote_it(account: Account, heard: Callable[..., list[Any]]) -> None:
    published = heard(ContactWrote)
    wrote(account, text="I am away", automatic=True)
    assert [event.is_automatic for event in published] == [True]


def test_the_operators_own_message_from_the_phone_is_told_from_ours(
    account: Account, heard: Callable[..., list[Any]]
) -> None:
    wrote(account)
    ours = sent(account, "12")
    published = heard(OperatorWrote)
    wrote(account, 12, "hi", out=True)
    assert published == []
    wrote(account, 13, "from my phone", out=True)
    assert [event.conversation_id for event in published] == [ours.conversation_id]


def test_reading_moves_our_messages_up_to_the_mark(account: Account, heard: Callable[..., list[Any]]) -> None:
    wrote(account)
    first, second = sent(account, "12"), sent(account, "14")
    published = heard(ReadUpTo)
    arrive(account, kind="read", chat=777002, max_id=13)
    db.session.expire_all()
    assert (first.state, second.state) == ("read", "sent")
    assert first.read_at is not None
    assert [event.external_id for event in published] == ["13"]


def test_deletions_name_only_ids_and_find_our_messages(account: Account, heard: Callable[..., list[Any]]) -> None:
    wrote(account)
    ours = sent(account, "12")
    published = heard(MessagesDeleted)
    arrive(account, kind="deleted", ids=[12, 99])
    db.session.expire_all()
    assert ours.deleted_at is not None
    assert [event.message_ids for event in published] == [(ours.id,)]


def test_a_reaction_and_a_call_are_said(account: Account, heard: Callable[..., list[Any]]) -> None:
    wrote(account)
    ours = sent(account, "12")
    reactions, calls = heard(ContactReacted), heard(ContactCalled)
    arrive(account, kind="reaction", chat=777002, id=12, emoji="+", person=BOB)
    arrive(account, kind="reaction", chat=777002, id=12, emoji=None, person=BOB)
    arrive(account, kind="call", chat=777002, id="5", state="ended", person=BOB)
    assert [event.message_id for event in reactions] == [ours.id]
    assert [event.conversation_id for event in calls] == [ours.conversation_id]


def test_what_cannot_be_read_is_parked_and_holds_up_nobody(account: Account) -> None:
    sender = db.session.get_one(Sender, account.sender_id)
    store(sender, b"no json")
    arrive(account, kind="message", chat="x", id=1)
    wrote(account)
    states = list(db.session.scalars(select(WebhookEvent.state).order_by(WebhookEvent.id)))
    assert states == ["parked", "parked", "done"]
    assert conversations.find(sender, "777002", workspace_id=account.workspace_id) is not None
