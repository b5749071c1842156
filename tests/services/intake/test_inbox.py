"""Every inbound kind is stored and shown, and moves its conversation in the inbox on."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import select

from backend.channels.base import Content
from backend.channels.inbound import (
    CallReceived,
    Chat,
    EchoReceived,
    MessageReceived,
    ReadMarkReceived,
    ReceivedMedia,
    ThreadControlChanged,
)
from backend.channels.inbound_contents import Choice, ContactCard, Location, Order, OrderItem, Referral, Share, Story
from backend.core import clock, events
from backend.core.database import db, workspace_scope
from backend.core.work import Turn
from backend.models import Conversation, FileFetch, Message, MessageFile, MessagePart
from backend.services import delivery
from backend.services.conversations.events import ContactWrote, MessagesStored, WindowClosesSoon
from backend.services.delivery.events import message_ended
from backend.services.files.events import FileFetched, FileFetchFailed
from backend.services.inbox import media, timers
from tests.services.inbox.conftest import NUMBER, START, home, message, number, person, settle, take

__all__ = ["home", "number", "settle", "take"]

WHO = person(NUMBER)
CHAT = Chat(WHO.id, "private")


def only(model):
    return db.session.scalars(select(model)).one()


@pytest.mark.parametrize(
    ("kind", "given", "content"),
    [
        ("location", {"location": Location(1.5, 2.5, "Harbour")}, {"location": {"name": "Harbour", "latitude": 1.5}}),
        ("contacts", {"contacts": (ContactCard("Bo", ("+491",)),)}, {"contacts": [{"name": "Bo", "phones": ["+491"]}]}),
        ("choice", {"choice": Choice("list", "b2", "Blue")}, {"choice": {"kind": "list", "id": "b2", "title": "Blue"}}),
        (
            "order",
            {"order": Order((OrderItem("sku1", 2, Decimal("3.50"), "EUR"),))},
            {"order": {"items": [{"product_id": "sku1", "quantity": 2, "price": "3.50", "currency": "EUR"}]}},
        ),
        ("story", {"story": Story("mention", "s1")}, {"story": {"kind": "mention", "id": "s1"}}),
        ("share", {"shares": (Share("post", "https://example.com/p"),)}, {"shares": [{"kind": "post"}]}),
        ("text", {"referral": Referral("ad", "ad1")}, {"referral": {"source": "ad", "source_id": "ad1"}}),
        ("unsupported", {}, None),
    ],
)
def test_what_a_message_holds_is_kept(number, take, kind, given, content):
    take(message(WHO, "m1", kind=kind, **given))
    stored = only(Message)
    assert (stored.kind, stored.happened_at, stored.direction) == (kind, START, "in")
    if content is None:
        assert stored.content is None
    else:
        ((name, expected),) = content.items()
        kept = stored.content[name]
        first, wanted = (kept[0], expected[0]) if isinstance(expected, list) else (kept, expected)
        assert wanted.items() <= first.items() or name == "order"
        if name == "order":
            assert expected["items"] == kept["items"]
    assert only(Conversation).unread_count == 1


def test_a_message_is_said_once_and_opens_the_window(number, take):
    wrote: list[ContactWrote] = []
    stored: list[MessagesStored] = []
    events.subscribe(ContactWrote, wrote.append)
    events.subscribe(MessagesStored, stored.append)
    try:
        take(message(WHO, "m1"), message(WHO, "m1"))
    finally:
        events.unsubscribe(ContactWrote, wrote.append)
        events.unsubscribe(MessagesStored, stored.append)
    assert len(wrote) == len(stored) == 1
    chat = only(Conversation)
    assert (chat.reply_until, chat.reply_reason) == (START + timedelta(hours=24, seconds=-60), "message_24h")
    assert chat.remind_at == chat.reply_until - timedelta(hours=1)


def test_standby_is_shown_and_never_answered_until_control_comes_back(number, take):
    take(message(WHO, "m1", standby=True))
    chat = only(Conversation)
    assert (chat.in_charge, chat.unread_count) == ("other", 1)
    chat.reply_until = clock.now() + timedelta(hours=1)
    with workspace_scope(chat.workspace_id):
        refused = delivery.send(chat, Content("hello"), kind="reply", via="console")
    assert (refused.state, refused.error) == ("canceled", "not_in_charge")
    take(ThreadControlChanged(CHAT, "us"))
    assert only(Conversation).in_charge == "us"


def test_a_call_is_one_entry_and_an_unread_one(number, take):
    take(CallReceived(CHAT, WHO, "c1", "ringing", date=START), CallReceived(CHAT, WHO, "c1", "ended", 42, date=START))
    entry = only(Message)
    assert (entry.kind, entry.content) == ("call", {"call": {"state": "ended", "seconds": 42}})
    assert (only(Conversation).unread_count, only(Conversation).reply_until) == (1, None)


def test_a_person_who_answers_in_the_providers_application_takes_over(number, take, settle):
    take(message(WHO, "m1"))
    take(EchoReceived(MessageReceived(CHAT, None, "e1", "an answer", date=START + timedelta(minutes=1))))
    settle()
    chat = only(Conversation)
    answer = db.session.scalars(select(Message).where(Message.direction == "out")).one()
    assert (answer.via, answer.happened_at) == ("provider", START + timedelta(minutes=1))
    assert (chat.status, chat.waiting_since, chat.last_message_id) == ("waiting", None, answer.id)
    assert chat.answered_at is not None


def outbound(chat: Conversation, external_id: str, minutes: int) -> Message:
    with workspace_scope(chat.workspace_id):
        chat.reply_until = clock.now() + timedelta(hours=1)
        sent = delivery.send(chat, Content("an answer"), kind="reply", via="console")
    sent.state, sent.happened_at = "sent", START + timedelta(minutes=minutes)
    db.session.add(
        MessagePart(
            workspace_id=chat.workspace_id,
            message_id=sent.id,
            part=0,
            sender_id=chat.sender_id,
            chat_key=chat.chat_key,
            box="",
            external_id=external_id,
            sent_version=1,
            sent_at=clock.now(),
        )
    )
    db.session.commit()
    return sent


def test_a_read_mark_reads_everything_up_to_it_and_nothing_after(number, take, settle):
    take(message(WHO, "m1"), ReadMarkReceived(CHAT, "o2"))
    chat = only(Conversation)
    first, second, third = (outbound(chat, f"o{place}", place) for place in (1, 2, 3))
    settle()
    for row in (first, second, third):
        db.session.refresh(row)
    assert [row.state for row in (first, second, third)] == ["read", "read", "sent"]


def test_a_late_refusal_closes_the_window_at_once(number, take):
    take(message(WHO, "m1"))
    chat = only(Conversation)
    sent = outbound(chat, "o1", 1)
    message_ended(sent.id, "failed", "131047")
    db.session.commit()
    chat = only(Conversation)
    assert (chat.reply_reason, chat.remind_at) == ("closed", None)
    assert chat.reply_until <= clock.now()


def test_files_are_asked_for_at_once_and_say_what_became_of_them(number, take):
    given = ReceivedMedia("video", "media-1", filename="clip.mp4", mime="video/mp4", size=5)
    voice = ReceivedMedia("voice", "media-2")
    take(message(WHO, "m1", kind="video", media=(given, voice)))
    rows = db.session.scalars(select(MessageFile).order_by(MessageFile.position)).all()
    assert [(row.kind, row.state, row.external_file_id) for row in rows] == [
        ("video", "waiting", "media-1"),
        ("voice", "waiting", "media-2"),
    ]
    fetches = db.session.scalars(select(FileFetch).order_by(FileFetch.id)).all()
    assert [(row.owner_kind, row.owner_id, row.source, row.sender_id) for row in fetches] == [
        ("message_file", rows[0].id, "media-1", number.id),
        ("message_file", rows[1].id, "media-2", number.id),
    ]
    with workspace_scope(rows[0].workspace_id):
        failed = FileFetchFailed("message_file", rows[1].id, 0, "document", "media-2", "file_gone", False)
        media.on_file_fetch_failed(failed)
        assert (rows[1].state, rows[1].reason) == ("unavailable", "file_gone")
        fetches[1].state, fetches[1].ended_at = "failed", clock.now()
        db.session.flush()
        media.fetch(rows[1])
        assert (rows[1].state, rows[1].reason) == ("waiting", None)
        other = FileFetched("alert", 7, 0, "document", "x", 1)
        media.on_file_fetched(other)
    assert db.session.scalars(select(FileFetch).where(FileFetch.ended_at.is_(None))).all() != []


def test_time_ends_a_snooze_and_reminds_once_of_a_window(number, take):
    heard: list[Any] = []
    take(message(WHO, "m1"))
    chat = only(Conversation)
    chat.status, chat.status_before, chat.snoozed_until = "snoozed", "open", clock.now() + timedelta(minutes=1)
    chat.reply_until, chat.remind_at = clock.now() + timedelta(hours=2), clock.now() + timedelta(hours=1)
    db.session.commit()
    events.subscribe(WindowClosesSoon, heard.append)
    try:
        assert timers.run(Turn(30)) == 0
        clock.move(120)
        assert timers.run(Turn(30)) == 1
        assert only(Conversation).status == "open"
        clock.move(3600)
        assert timers.run(Turn(30)) == 1
        assert timers.run(Turn(30)) == 0
    finally:
        events.unsubscribe(WindowClosesSoon, heard.append)
    assert [event.conversation_id for event in heard] == [chat.id]
