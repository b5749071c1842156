"""An account over its connection: found people, messages in both directions, what happened meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from backend.channels.base import Content
from backend.channels.inbound import Chat, Person
from backend.core import clock
from backend.core.database import db
from backend.models import Account, Conversation, Delivery, Message, Sender, Workspace
from backend.services import conversations, delivery, senders
from backend.services.accounts import lookups, peers
from backend.services.conversations.events import ContactWrote, OperatorWrote, ReadUpTo
from tests.services.sessions.conftest import (
    ANN,
    BOB,
    Running,
    account_of,
    conversation_of,
    duplicate_keys,
    id_of,
    process,
    sent_by,
)
from tests.support.accounts import point
from tests.support.engine import fresh, until
from tests.support.telegram_box import TelegramBox


def _processed(published: list[Any]) -> bool:
    """Whether something was published, after what is stored was processed."""
    process()
    return bool(published)


def find_bob(account: Account, home: Workspace, running: Running) -> None:
    """Has the account look Bob's number up."""
    bob = point(home, "phone", BOB)
    lookups.request(account.sender_id, [bob.id])
    db.session.commit()
    with running():
        until(lambda: _result(account, bob.id) == "found", 30)


def _result(account: Account, point_id: int) -> str | None:
    lookup = lookups.result_of(account.sender_id, point_id)
    db.session.expire_all()
    return None if lookup is None else lookup.result


def chat_with(account: Account, user_id: int) -> Conversation:
    sender = senders.by_id(account.sender_id)
    assert sender is not None
    chat, person = Chat(str(user_id), "private", name="Bob"), Person(str(user_id), "Bob")
    return conversations.find_or_create(sender, chat, workspace_id=account.workspace_id, person=person)


def say(chat: Conversation, text: str, kind: str = "reply") -> Message:
    message = delivery.send(chat, Content(text), kind=kind, at_most_once=True)
    db.session.commit()
    return message


def test_a_login_ends_in_an_account_with_an_honest_device(account: Account, box: TelegramBox) -> None:
    assert (account.state, account.username, account.name) == ("connected", "ann_sim", "Ann")
    assert account.telegram_user_id == str(id_of(box, ANN))
    assert account.pts
    [login] = box.control("GET", f"/accounts/{ANN}/logins")["logins"]
    assert "Switchboard on" in str(login)


def test_somebody_is_found_written_to_answers_and_reads(
    account: Account, home: Workspace, box: TelegramBox, running: Running, heard: Callable[..., list[Any]]
) -> None:
    find_bob(account, home, running)
    bob = id_of(box, BOB)
    chat = chat_with(account, bob)
    assert chat.identity_id is not None
    peer = peers.find(account.sender_id, chat.identity_id)
    assert peer is not None
    assert (peer.found_by, peer.requirement) == ("phone", "none")
    wrote, read = heard(ContactWrote), heard(ReadUpTo)
    message = say(chat, "<b>Hello</b>")
    with running():
        until(lambda: fresh(message).state == "sent", 20)
        box.control("POST", f"/accounts/{BOB}/say", {"chat": ANN, "text": "Hi Ann"})
        until(lambda: _processed(wrote) and _processed(read), 20)
    assert [entry["text"] for entry in sent_by(box, ANN)] == ["<b>Hello</b>"]
    assert [(event.text, event.is_automatic) for event in wrote] == [("Hi Ann", False)]
    assert fresh(message).state == "read"
    assert account_of(account.sender_id).last_used_at is not None
    assert not duplicate_keys(box)


@pytest.mark.parametrize("hidden", [False, True])
def test_when_somebody_read_is_asked_where_telegram_tells(
    account: Account, home: Workspace, box: TelegramBox, running: Running, heard: Callable[..., list[Any]], hidden: bool
) -> None:
    find_bob(account, home, running)
    chat = chat_with(account, id_of(box, BOB))
    box.control("PATCH", f"/accounts/{BOB}", {"hides_read_time": hidden})
    read = heard(ReadUpTo)
    message = say(chat, "Hello")
    with running():
        until(lambda: fresh(message).state == "sent", 20)
        box.control("POST", f"/accounts/{BOB}/say", {"chat": ANN, "text": "Hi Ann"})
        until(lambda: _processed(read), 20)
    assert [event.read_at is None for event in read] == [hidden]
    assert fresh(message).state == "read"


def test_what_came_while_nothing_ran_is_there_after_the_start(
    account: Account, home: Workspace, box: TelegramBox, running: Running, heard: Callable[..., list[Any]]
) -> None:
    find_bob(account, home, running)
    message = say(chat_with(account, id_of(box, BOB)), "Hello")
    with running():
        until(lambda: fresh(message).state == "sent", 20)
    wrote, own = heard(ContactWrote), heard(OperatorWrote)
    for number in range(3):
        box.control("POST", f"/accounts/{BOB}/say", {"chat": ANN, "text": f"answer {number}"})
    box.control("POST", f"/accounts/{ANN}/say", {"chat": BOB, "text": "from my phone"})
    before = account_of(account.sender_id).pts or 0
    with running():
        until(lambda: (account_of(account.sender_id).pts or 0) > before, 20)
    process()
    assert [event.text for event in wrote] == [f"answer {number}" for number in range(3)]
    assert len(own) == 1
    assert fresh(message).state == "read"


def test_strangers_chats_are_not_stored(
    account: Account, box: TelegramBox, running: Running, heard: Callable[..., list[Any]]
) -> None:
    wrote = heard(ContactWrote)
    before = account.pts or 0
    box.control("POST", f"/accounts/{BOB}/say", {"chat": ANN, "text": "Mum here"})
    with running():
        until(lambda: (account_of(account.sender_id).pts or 0) > before, 20)
    process()
    assert wrote == []
    assert conversation_of(account, id_of(box, BOB)) is None


def test_a_campaign_message_waits_for_what_is_new_in_its_chat(
    account: Account, home: Workspace, box: TelegramBox, running: Running, heard: Callable[..., list[Any]]
) -> None:
    find_bob(account, home, running)
    box.control("POST", f"/accounts/{BOB}/say", {"chat": ANN, "text": "who is this?"})
    box.control(
        "POST", "/mtproto/faults", {"kind": "error", "method": "updates.getDifference", "code": 500, "message": "X"}
    )
    chat = chat_with(account, id_of(box, BOB))
    message = say(chat, "An offer", kind="campaign")
    wrote = heard(ContactWrote)
    with running():
        until(lambda: delivery_reason(message) == "catching_up", 20)
        assert sent_by(box, ANN) == []
        process()
        assert [event.text for event in wrote] == ["who is this?"]
        # Nobody stopped it: then it goes.
        until(lambda: fresh(message).state == "sent", 20)


def delivery_reason(message: Message) -> str | None:
    db.session.rollback()
    row = db.session.query(Delivery).filter_by(message_id=message.id).populate_existing().first()
    return None if row is None else row.reason


def test_a_lost_answer_is_found_by_looking_and_nothing_is_sent_twice(
    account: Account, home: Workspace, box: TelegramBox, running: Running
) -> None:
    find_bob(account, home, running)
    box.control("POST", "/mtproto/faults", {"kind": "drop_after", "method": "messages.sendMessage", "count": 1})
    message = say(chat_with(account, id_of(box, BOB)), "An offer", kind="campaign")
    with running():
        until(lambda: fresh(message).state == "sent", 40)
    assert [entry["text"] for entry in sent_by(box, ANN)] == ["An offer"]
    assert not duplicate_keys(box)


def test_a_request_that_was_never_carried_out_goes_again_under_the_same_number(
    account: Account, home: Workspace, box: TelegramBox, running: Running
) -> None:
    find_bob(account, home, running)
    box.control("POST", "/mtproto/faults", {"kind": "drop_before", "method": "messages.sendMessage", "count": 1})
    message = say(chat_with(account, id_of(box, BOB)), "An offer", kind="campaign")
    with running():
        until(lambda: fresh(message).state == "sent", 40)
    log = box.control("GET", "/mtproto/log", method="messages.sendMessage", account=ANN)["entries"]
    assert len({entry["random_id"] for entry in log}) == 1
    assert [entry["text"] for entry in sent_by(box, ANN)] == ["An offer"]


def test_an_outcome_older_than_an_hour_stays_unknown(
    account: Account, home: Workspace, box: TelegramBox, running: Running
) -> None:
    find_bob(account, home, running)
    box.control("POST", "/mtproto/faults", {"kind": "drop_before", "method": "messages.sendMessage"})
    message = say(chat_with(account, id_of(box, BOB)), "An offer", kind="campaign")
    with running():
        until(lambda: delivery_reason(message) == "connection_dropped", 30)
        clock.move(3700)
        until(lambda: fresh(message).state == "unknown", 40)
    assert sent_by(box, ANN) == []
    clock.reset()


def test_a_flood_of_strangers_holds_campaigns_and_not_a_reply(
    account: Account, home: Workspace, box: TelegramBox, running: Running
) -> None:
    find_bob(account, home, running)
    fault = {"kind": "error", "method": "messages.sendMessage", "code": 400, "message": "PEER_FLOOD", "count": 1}
    box.control("POST", "/mtproto/faults", fault)
    chat = chat_with(account, id_of(box, BOB))
    offer = say(chat, "An offer", kind="campaign")
    with running():
        until(lambda: account_of(account.sender_id).state == "limited", 30)
        reply = say(chat, "A reply by hand")
        until(lambda: fresh(reply).state == "sent", 30)
    assert fresh(offer).state == "queued"
    assert account_of(account.sender_id).campaigns_pause_reason == "peer_flood"
    assert [entry["text"] for entry in sent_by(box, ANN)] == ["A reply by hand"]


def test_a_revoked_session_stops_the_account_and_no_other(account: Account, box: TelegramBox, running: Running) -> None:
    with running():
        box.control("POST", f"/accounts/{ANN}/revoke", {})
        until(lambda: account_of(account.sender_id).state == "needs_login", 40)
    sender = db.session.get_one(Sender, account.sender_id, populate_existing=True)
    assert (sender.is_active, account_of(account.sender_id).reason) == (False, sender.disabled_code)
