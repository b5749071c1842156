"""Our own echo is never taken for a person's, and a person's is kept as one."""

from __future__ import annotations

import pytest
from sqlalchemy import delete, select, update

from backend.channels.errors import OutcomeUnknown
from backend.channels.inbound import Chat, EchoReceived, MessageReceived, ReceivedMedia
from backend.core import clock
from backend.core.database import db
from backend.core.work import Turn
from backend.models import Delivery, Message, PendingReceipt
from backend.services import receipts
from backend.services.receipts import pending
from tests.support.engine import fresh, idle, run_until, say


def echo(message_id, text="hello", chat="5001", **values):
    media = (ReceivedMedia("photo", "file-1", size=7),)
    return EchoReceived(MessageReceived(Chat(chat, "private"), None, message_id, text=text, media=media), **values)


def receive(sender, event):
    receipts.receive(sender, event)
    db.session.commit()


def replies():
    db.session.rollback()
    rows = db.session.execute(select(Message).where(Message.kind == "provider_reply").order_by(Message.id)).scalars()
    return [(row.body["parts"][0]["text"], row.body["via"], row.direction, row.state) for row in rows]


def kept():
    db.session.rollback()
    return len(db.session.execute(select(PendingReceipt.id)).all())


def in_flight(message):
    """As between the provider's answer and the record."""
    db.session.execute(update(Delivery).where(Delivery.message_id == message.id).values(state="sending", epoch=7))
    db.session.commit()


def test_the_echo_of_a_recorded_send_changes_nothing(sender, sent):
    message = sent()
    receive(sender, echo("1001"))
    assert (fresh(message).state, replies(), kept()) == ("sent", [], 0)


def test_an_echo_that_overtakes_the_record_waits_and_is_ours(app, sender, channel, chat):
    message = say(chat, "hello")
    in_flight(message)
    receive(sender, echo("1001"))
    assert (replies(), kept()) == ([], 1)
    clock.move(2)
    assert pending.retry(Turn(60.0)) == 0
    db.session.execute(update(Delivery).values(state="due", epoch=0))
    db.session.commit()
    run_until(app, idle)
    clock.move(1.5)
    assert pending.retry(Turn(60.0)) == 1
    assert (fresh(message).state, replies(), kept()) == ("sent", [], 0)


def test_a_persons_echo_beside_a_send_of_ours_is_kept_as_one_after_five_seconds(sender, channel, chat):
    in_flight(say(chat, "ours"))
    receive(sender, echo("9001", "a person's"))
    assert replies() == []
    clock.move(3)
    assert pending.retry(Turn(60.0)) == 0
    clock.move(3)
    assert pending.retry(Turn(60.0)) == 1
    assert replies() == [("a person's", "provider", "out", "sent")]


def test_a_persons_echo_while_nothing_is_sent_is_kept_at_once_and_only_once(sender, chat):
    for _ in range(2):
        receive(sender, echo("9001", "a person's"))
    assert (replies(), kept()) == ([("a person's", "provider", "out", "sent")], 0)
    made = db.session.execute(select(Message)).scalar_one()
    assert made.conversation_id == chat.id
    assert made.body["parts"][0]["received"] == [{"kind": "photo", "external_file_id": "file-1", "size": 7}]


def test_a_persons_echo_to_somebody_new_begins_the_conversation(home, sender):
    receive(sender, echo("9001", "hello", chat="6001", application_id="some-app"))
    made = db.session.execute(select(Message)).scalar_one()
    assert (made.workspace_id, made.body["application_id"]) == (home.id, "some-app")


def test_our_own_reference_is_proof_however_long_the_record_takes(sender, channel, chat):
    """The process died after the provider's answer; what became of the send is settled much later."""
    message = say(chat, "hello", at_most_once=True)
    in_flight(message)
    receive(sender, echo("1001", client_ref=f"{message.id}:0"))
    clock.move(60)
    assert pending.retry(Turn(60.0)) == 0
    db.session.execute(update(Message).values(state="unknown"))
    db.session.execute(delete(Delivery))
    db.session.commit()
    clock.move(60)
    assert pending.retry(Turn(60.0)) == 1
    settled = fresh(message)
    assert (settled.state, settled.external_id, replies()) == ("sent", "1001", [])


def test_an_echo_settles_an_unknown_outcome(app, sender, channel, chat):
    channel.script = lambda op: OutcomeUnknown("cut_off")
    message = say(chat, "hello", at_most_once=True)
    run_until(app, idle)
    receive(sender, echo("1001", client_ref=f"{message.id}:0"))
    assert (fresh(message).state, replies()) == ("sent", [])


@pytest.mark.parametrize("event", [echo("1", client_ref="7:0"), echo("2", "text \x01 가", application_id="x")])
def test_what_is_kept_is_read_back(event):
    assert pending.load(pending.dump(event)) == event


def test_an_echo_of_a_send_whose_process_died_waits_until_that_is_settled(app, sender, channel, chat):
    message = say(chat, "hello")
    other = say(chat, "later")
    db.session.execute(update(Delivery).where(Delivery.message_id == message.id).values(state="sending", client_ref=7))
    db.session.commit()
    receive(sender, echo("1001"))
    receive(sender, echo("9001", "later"))
    clock.move(60)
    assert pending.retry(Turn(60.0)) == 1
    assert (replies(), kept()) == ([("later", "provider", "out", "sent")], 1), "nobody has begun to send that"
    db.session.execute(update(Delivery).values(state="due", epoch=0, client_ref=None))
    db.session.commit()
    run_until(app, idle)
    clock.move(30)
    assert pending.retry(Turn(60.0)) == 1
    assert (fresh(message).state, fresh(other).state, len(replies()), kept()) == ("sent", "sent", 1, 0)
