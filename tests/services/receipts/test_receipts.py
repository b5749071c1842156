"""Receipts find their message by the provider's id alone and move it forward only."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from backend.channels import registry
from backend.channels.base import Receipt
from backend.channels.errors import OutcomeUnknown
from backend.channels.inbound import Chat, MessageReceived, Person, ReceiptReceived, WatermarkReceived
from backend.core import clock, events
from backend.core.database import db
from backend.core.work import Turn
from backend.models import Delivery, MessagePart, PendingReceipt
from backend.services import conversations, receipts
from backend.services.delivery.events import MessageEnded
from backend.services.receipts import pending
from tests.support import factories
from tests.support.engine import fresh, idle, run_until, say

AT = datetime(2026, 11, 29, 12, tzinfo=UTC)


def receive(sender, message_id, state, **values):
    receipts.receive(sender, ReceiptReceived(message_id, state, AT, **values))
    db.session.commit()


def cut_off(tries):
    """A provider that takes what it is asked to send, notes its reference, and is not heard again."""

    def script(op):
        tries.append(op.client_ref)
        return OutcomeUnknown("cut_off")

    return script


def kept():
    db.session.rollback()
    return len(db.session.execute(select(PendingReceipt.id)).all())


def test_a_later_state_fills_in_the_earlier_ones(sender, sent):
    message = sent()
    receive(sender, "1001", "read")
    read = fresh(message)
    assert (read.state, read.delivered_at, read.read_at) == ("read", AT, AT)
    assert read.sent_at is not None
    receive(sender, "1001", "delivered")
    assert fresh(message).state == "read"
    assert kept() == 0


def test_a_failure_after_acceptance_is_the_messages_and_is_told(sender, sent):
    told: list[MessageEnded] = []
    listen = events.subscribe(MessageEnded, told.append)
    try:
        message = sent()
        receive(sender, "1001", "failed", code="window_closed", detail="more than 24 hours", category="service")
        receive(sender, "1001", "failed", code="window_closed")
    finally:
        events.unsubscribe(MessageEnded, listen)
    failed = fresh(message)
    assert (failed.state, failed.error, failed.error_detail) == ("failed", "window_closed", "more than 24 hours")
    assert told == [MessageEnded(message.id, "failed", "window_closed")]
    part = db.session.execute(select(MessagePart)).scalar_one()
    assert part.facts == {"code": "window_closed", "detail": "more than 24 hours", "category": "service"}


def test_what_was_delivered_has_not_failed(sender, sent):
    message = sent()
    receive(sender, "1001", "failed", code="odd")
    receive(sender, "1001", "delivered")
    receive(sender, "1001", "failed", code="odd")
    assert (fresh(message).state, fresh(message).error) == ("delivered", None)


def test_a_message_of_several_parts_waits_for_the_last(sender, sent):
    message = sent("x" * 250)
    for number, expected in ((1001, "sent"), (1003, "sent"), (1002, "delivered")):
        receive(sender, str(number), "delivered")
        assert fresh(message).state == expected


def test_another_senders_receipt_finds_nothing(home, sender, sent):
    message = sent()
    receive(factories.bot(home), "1001", "read")
    assert fresh(message).state == "sent"
    assert kept() == 1


def test_a_receipt_about_a_received_message_finds_nothing(sender, chat):
    event = MessageReceived(Chat("5001", "private"), Person("5001", "Ann"), "9", text="hi")
    message = conversations.record_inbound(chat, event)
    db.session.commit()
    receive(sender, "9", "read")
    assert fresh(message).state == "received"


def test_a_receipt_that_overtakes_the_record_is_applied_after_it(app, sender, channel, chat):
    message = say(chat, "hello")
    receive(sender, "1001", "delivered")
    receive(sender, "1001", "read")
    assert (fresh(message).state, kept()) == ("queued", 2)
    assert not pending.WORK.is_due()
    run_until(app, idle)
    clock.move(2)
    assert pending.WORK.is_due()
    assert pending.retry(Turn(60.0)) == 2
    assert (fresh(message).state, kept()) == ("read", 0)


def test_a_receipt_of_a_message_that_is_not_ours_is_given_up_after_a_day(sender, sent):
    receive(sender, "somebody-elses", "delivered")
    ended = tries = 0
    began = clock.now()
    while not ended:
        clock.move(600)
        ended = pending.retry(Turn(60.0))
        tries += 1
        assert tries < 200
    assert timedelta(hours=24) <= clock.now() - began < timedelta(hours=25)
    assert kept() == 0


def test_what_is_kept_is_encrypted_and_read_back(sender):
    receive(sender, "1001", "failed", code="x", detail="words", client_ref="5:0", is_free=True)
    row = db.session.execute(select(PendingReceipt)).scalar_one()
    assert b"1001" not in row.payload_encrypted
    assert pending.load(row.payload) == ReceiptReceived(
        "1001", "failed", AT, code="x", detail="words", client_ref="5:0", is_free=True
    )


def test_a_defect_of_one_holds_up_no_other(app, sender, channel, chat, monkeypatch):
    message = say(chat, "hello")
    receive(sender, "a-bad-one", "delivered")
    receive(sender, "1001", "delivered")
    run_until(app, idle)
    real = pending.apply_receipt

    def apply(sender, event):
        if event.message_id == "a-bad-one":
            raise RuntimeError("a defect")
        return real(sender, event)

    monkeypatch.setattr(pending, "apply_receipt", apply)
    clock.move(2)
    assert pending.retry(Turn(60.0)) == 1
    assert (fresh(message).state, kept()) == ("delivered", 1)
    assert not pending.WORK.is_due(), "it is put off"


def test_an_unknown_outcome_is_settled_by_our_own_id_of_the_operation(app, sender, channel, chat):
    channel.script = lambda op: OutcomeUnknown("cut_off")
    message = say(chat, "hello", at_most_once=True)
    run_until(app, idle)
    assert fresh(message).state == "unknown"
    receive(sender, "7001", "delivered", client_ref=f"{message.id}:0")
    assert (fresh(message).state, fresh(message).external_id) == ("delivered", "7001")
    receive(sender, "7001", "read")
    assert fresh(message).state == "read"


def test_a_report_comes_before_the_repetition_and_replaces_it(app, sender, channel, chat, monkeypatch):
    spec = registry.spec("telegram_bot")
    reporting = replace(spec, capabilities=replace(spec.capabilities, client_ref=True))
    monkeypatch.setitem(registry._replaced, "telegram_bot", reporting)
    tries: list[str | None] = []
    channel.script = cut_off(tries)
    message = say(chat, "hello")
    run_until(app, lambda: bool(tries) and not in_flight())
    (row,) = db.session.execute(select(Delivery)).scalars()
    assert row.due_at - clock.now() > timedelta(seconds=25)
    receive(sender, "7001", "delivered", client_ref=f"{message.id}:0")
    assert (fresh(message).state, fresh(message).external_id) == ("delivered", "7001")
    channel.script = None
    clock.move(60)
    run_until(app, idle)
    assert (tries, channel.accepted) == ([f"{message.id}:0"], [])


def test_without_a_report_it_is_repeated(app, sender, channel, chat):
    tries: list[str | None] = []
    channel.script = cut_off(tries)
    message = say(chat, "hello")
    run_until(app, lambda: bool(tries) and not in_flight())
    channel.script = None
    clock.move(60)
    run_until(app, idle)
    assert fresh(message).state == "sent"
    receive(sender, "7001", "delivered", client_ref="99:0")
    assert fresh(message).external_id == "1001"


def in_flight():
    db.session.rollback()
    return db.session.execute(select(Delivery.id).where(Delivery.state == "sending")).first() is not None


@pytest.mark.parametrize("ref", ["", "0:0", "x:0", "12", "99999999:0", "{id}:7", "{id}:-1"])
def test_a_reference_that_is_not_ours_finds_nothing(sender, sent, ref):
    message = sent()
    receive(sender, "7001", "read", client_ref=ref.format(id=message.id))
    assert fresh(message).state == "sent"


def test_another_senders_reference_finds_nothing(home, sender, sent):
    message = sent()
    receive(factories.bot(home), "7001", "read", client_ref=f"{message.id}:0")
    assert fresh(message).state == "sent"


def test_a_watermark_moves_everything_before_it(app, home, sender, sent, chat):
    earlier, failed = [sent() for _ in range(3)], sent()
    receive(sender, failed.external_id or "1004", "failed", code="x")
    until = clock.now()
    clock.move(60)
    later = sent()
    receipts.receive(sender, WatermarkReceived(Chat("5001", "private"), "delivered", until))
    receipts.receive(sender, WatermarkReceived(Chat("5001", "private"), "read", until))
    receipts.receive(sender, WatermarkReceived(Chat("5001", "private"), "delivered", until))
    db.session.commit()
    assert [fresh(message).state for message in earlier] == ["read"] * 3
    assert (fresh(failed).state, fresh(later).state) == ("failed", "sent")
    assert fresh(earlier[0]).read_at == until
    assert kept() == 0


def test_a_watermark_goes_back_page_by_page(app, sender, sent, monkeypatch):
    monkeypatch.setattr("backend.services.receipts.watermarks._PAGE", 2)
    earlier = [sent() for _ in range(5)]
    until = clock.now()
    clock.move(60)
    for _ in range(3):
        sent()
    receipts.receive(sender, WatermarkReceived(Chat("5001", "private"), "read", until))
    db.session.commit()
    assert [fresh(message).state for message in earlier] == ["read"] * 5


def test_a_watermark_of_an_unknown_chat_changes_nothing(sender, sent):
    message = sent()
    receipts.receive(sender, WatermarkReceived(Chat("5999", "private"), "read", clock.now()))
    db.session.commit()
    assert (fresh(message).state, kept()) == ("sent", 0)


def test_two_sends_with_one_id_do_not_share_a_receipt(app, sender, channel, chat, sent):
    channel.script = lambda op: Receipt(("77",))
    first, second = sent(), sent()
    receive(sender, "77", "read")
    assert (fresh(first).state, fresh(second).state) == ("sent", "read")
