"""The loop's parts, run step by step over the real database with a provider in memory."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from sqlalchemy import select, text

from backend.channels.base import Content, Limits, Rate, Receipt
from backend.channels.errors import OutcomeUnknown, RecipientUnreachable, Rejected, RetryLater, SenderDisabled
from backend.core import clock
from backend.core.database import db
from backend.core.leases import LeaseKeeper
from backend.models import Attempt, Message, MessagePart, Sender, SenderLease
from backend.services import delivery
from backend.services.dispatch import gate_sweep, recovery
from backend.services.dispatch.claims import ClaimRequest, claim
from tests.support import factories
from tests.support.engine import dispatching, fresh, idle, left, run_until, say, until

pytestmark = pytest.mark.usefixtures("everything")


def test_a_message_is_sent_once_recorded_and_leaves_the_queue(app, channel, home, bot):
    message = say(factories.conversation(home, bot), "hello")
    run_until(app, idle)
    message = fresh(message)
    assert channel.texts() == ["hello"]
    assert (message.state, message.external_id) == ("sent", "1001")
    part = db.session.execute(select(MessagePart)).scalar_one()
    assert (part.external_id, part.sent_version) == ("1001", 1)
    assert [row.phase for row in db.session.execute(select(Attempt)).scalars()] == ["started"]


def test_parts_arrive_in_order_and_the_message_is_sent_with_its_last(app, channel, home, bot):
    message = say(factories.conversation(home, bot), "a" * 100 + "b" * 100 + "c")
    run_until(app, idle)
    assert channel.texts() == ["a" * 100, "b" * 100, "c"]
    assert fresh(message).state == "sent"


def test_a_part_that_must_wait_holds_back_the_parts_behind_it(app, channel, home, bot):
    tries = []

    def script(op):
        tries.append(op.content.text)
        return RetryLater(0, "slow_mode", scope="chat") if len(tries) == 1 else None

    channel.script = script
    say(factories.conversation(home, bot), "a" * 100 + "b")
    run_until(app, idle)
    assert tries == ["a" * 100, "a" * 100, "b"]


def test_messages_of_one_chat_keep_their_order_and_other_chats_do_not_wait(app, channel, home, bot):
    first, second = factories.conversation(home, bot, "1"), factories.conversation(home, bot, "2")
    for number in range(5):
        say(first, f"one {number}")
    say(second, "two")
    run_until(app, idle)
    ones = [text for text in channel.texts() if text.startswith("one")]
    assert ones == [f"one {number}" for number in range(5)]
    assert channel.texts().index("two") < 5


def test_replies_go_before_notifications_before_bulk(app, channel, home, bot):
    channel.limits = Limits(per_sender=(Rate(20, 1.0),))
    for number, lane in enumerate((delivery.Priority.BULK, delivery.Priority.NOTIFICATION, delivery.Priority.REPLY)):
        say(factories.conversation(home, bot, str(number)), lane.name, lane=lane)
    run_until(app, idle)
    assert channel.texts() == ["REPLY", "NOTIFICATION", "BULK"]


def test_bulk_keeps_a_tenth_whatever_else_waits(app, channel, home, bot):
    channel.limits = Limits(per_sender=(Rate(200, 1.0),))
    for number in range(30):
        say(factories.conversation(home, bot, str(number)), "reply", lane=delivery.Priority.REPLY)
        say(factories.conversation(home, bot, str(100 + number)), "bulk", lane=delivery.Priority.BULK)
    run_until(app, idle, 20)
    assert 2 <= channel.texts()[:30].count("bulk") <= 4


def test_a_rate_limit_pauses_the_whole_bot_and_says_so(app, channel, home, bot):
    channel.script = lambda op: RetryLater(30, "rate_limited")
    message = say(factories.conversation(home, bot), "hello")
    run_until(app, lambda: [row.reason for row in left()] == ["rate_limited"])
    lease = db.session.get_one(SenderLease, bot.id, populate_existing=True)
    assert lease.paused_until is not None
    assert lease.paused_until > clock.now() + timedelta(seconds=20)
    status = delivery.status_of(fresh(message))
    assert (status.state, status.reason, status.attempts) == ("queued", "rate_limited", 1)
    channel.script = None
    clock.move(31)
    run_until(app, idle)
    assert fresh(message).state == "sent"


def test_an_unreachable_person_blocks_the_chat_and_ends_what_waits_for_it(app, channel, home, bot):
    channel.script = lambda op: RecipientUnreachable("bot_blocked")
    chat = factories.conversation(home, bot)
    first, second = say(chat, "one"), say(chat, "two")
    run_until(app, idle)
    assert (fresh(first).state, first.error) == ("failed", "bot_blocked")
    assert (fresh(second).state, second.error) == ("canceled", "bot_blocked")
    assert len(channel.accepted) == 0


def test_a_rejected_message_fails_with_its_reason_and_drops_its_other_parts(app, channel, home, bot):
    channel.script = lambda op: Rejected("message_too_long", "Bad Request: message is too long")
    message = say(factories.conversation(home, bot), "a" * 150)
    run_until(app, idle)
    assert (fresh(message).state, message.error) == ("failed", "message_too_long")
    assert message.error_detail == "Bad Request: message is too long"


def test_a_revoked_token_disables_the_bot_and_keeps_the_message(app, channel, home, bot):
    channel.script = lambda op: SenderDisabled("token_revoked")
    message = say(factories.conversation(home, bot), "hello")
    run_until(app, lambda: not db.session.get_one(Sender, bot.id, populate_existing=True).is_active)
    gate_sweep.apply()
    assert delivery.status_of(fresh(message)).reason == "sender_disabled"
    channel.script = None
    bot.is_active, bot.disabled_code = True, None
    db.session.commit()
    run_until(app, idle)
    assert fresh(message).state == "sent"


def test_an_unknown_outcome_is_repeated_for_a_notification(app, channel, home, bot):
    answers = iter([OutcomeUnknown("read_timeout")])
    channel.script = lambda op: next(answers, None)
    message = say(factories.conversation(home, bot), "hello")
    run_until(app, idle)
    assert fresh(message).state == "sent"
    phases = [row.phase for row in db.session.execute(select(Attempt).order_by(Attempt.id)).scalars()]
    assert phases == ["started", "unknown", "started"]


def test_an_unknown_outcome_is_shown_and_never_repeated_where_that_is_forbidden(app, channel, home, bot):
    channel.script = lambda op: OutcomeUnknown("read_timeout")
    message = say(factories.conversation(home, bot), "hello", at_most_once=True)
    run_until(app, idle)
    assert (fresh(message).state, message.error) == ("unknown", "read_timeout")
    assert len(db.session.execute(select(Attempt).where(Attempt.phase == "started")).scalars().all()) == 1


def test_an_edit_that_overtakes_the_send_arrives_last(app, channel, home, bot):
    chat = factories.conversation(home, bot)
    message = say(chat, "old")
    started, go_on = threading.Event(), threading.Event()

    def script(op):
        if op.kind == "send":
            started.set()
            assert go_on.wait(60)

    channel.script = script

    def edit_meanwhile():
        if started.is_set() and not go_on.is_set():
            delivery.edit(db.session.get_one(Message, message.id), Content("new"))
            db.session.commit()
            go_on.set()
        return go_on.is_set() and idle()

    run_until(app, edit_meanwhile)
    assert [(op.kind, op.content.text) for op in channel.accepted] == [("send", "old"), ("edit", "new")]
    assert channel.accepted[1].external_id == "1001"
    assert db.session.execute(select(MessagePart.sent_version)).scalar_one() == 2


def test_only_the_newest_of_many_edits_is_sent(app, channel, home, bot):
    message = say(factories.conversation(home, bot), "v1")
    run_until(app, idle)
    for number in range(2, 8):
        delivery.edit(fresh(message), Content(f"v{number}"))
        db.session.commit()
    run_until(app, idle)
    assert channel.texts("edit") == ["v7"]


def test_deleting_a_sent_message_takes_back_every_part(app, channel, home, bot):
    message = say(factories.conversation(home, bot), "x" * 150)
    run_until(app, idle)
    delivery.delete(fresh(message))
    db.session.commit()
    run_until(app, idle)
    assert sorted(op.external_id for op in channel.accepted if op.kind == "delete") == ["1001", "1002"]
    assert db.session.execute(select(MessagePart)).scalars().all() == []


def test_a_chat_with_a_backlog_gets_slots_once_and_each_row_says_why(app, channel, home, bot):
    channel.limits = Limits(per_chat=(Rate(1, 60.0),))
    chat = factories.conversation(home, bot)
    for number in range(4):
        say(chat, str(number))
    run_until(app, lambda: [row.reason for row in left()] == ["chat_pace"] * 3)
    dues = sorted((row.due_at - clock.now()).total_seconds() for row in left())
    assert 50 < dues[0] < 61
    assert 59 < dues[1] - dues[0] < 61
    assert 59 < dues[2] - dues[1] < 61


def test_a_chats_messages_keep_their_order_when_the_provider_is_slower_than_the_pace(app, channel, home, bot):
    channel.limits = Limits(per_chat=(Rate(1, 0.1),))
    slow = threading.Event()
    channel.script = lambda op: slow.wait(0.03) or None
    chat = factories.conversation(home, bot)
    with dispatching(app):
        for number in range(12):
            say(chat, str(number))
            slow.wait(0.03 if number % 3 else 0.15)
        until(idle)
    assert channel.texts() == [str(number) for number in range(12)]


def test_a_claim_needs_the_epoch_of_the_lease(app, channel, home, bot):
    say(factories.conversation(home, bot), "hello")
    lease = LeaseKeeper(db.engine, "first").acquire([bot.id])[0]
    with db.engine.begin() as connection:
        assert claim(connection, [ClaimRequest(bot.id, lease.epoch - 1, 5)], [], clock.now()) == []
        assert len(claim(connection, [ClaimRequest(bot.id, lease.epoch, 5)], [], clock.now())) == 1


def test_a_row_of_a_dead_process_is_repeated_or_shown_by_its_kind(app, channel, home, bot):
    again = say(factories.conversation(home, bot, "1"), "again")
    shown = say(factories.conversation(home, bot, "2"), "shown", at_most_once=True)
    dead = LeaseKeeper(db.engine, "dead").acquire([bot.id])[0]
    with db.engine.begin() as connection:
        assert len(claim(connection, [ClaimRequest(bot.id, dead.epoch, 5)], [], clock.now())) == 2
        connection.execute(text("UPDATE sender_leases SET until = clock_timestamp() - interval '1 s'"))
    run_until(app, idle)
    assert (fresh(again).state, fresh(shown).state, shown.error) == ("sent", "unknown", "process_died")
    assert channel.texts() == ["again"]


def test_an_outcome_learned_too_late_changes_nothing(app, channel, home, bot):
    from backend.services.dispatch.outcomes import Outcome, record

    message = say(factories.conversation(home, bot), "hello")
    dead = LeaseKeeper(db.engine, "dead").acquire([bot.id])[0]
    with db.engine.begin() as connection:
        row = claim(connection, [ClaimRequest(bot.id, dead.epoch, 5)], [], clock.now())[0]
        connection.execute(text("UPDATE sender_leases SET until = clock_timestamp() - interval '1 s'"))
    successor = LeaseKeeper(db.engine, "successor").acquire([bot.id])[0]
    recovery.take_over(successor)
    record([Outcome(row, Receipt(("555",)))])
    assert fresh(message).state == "queued"
    assert [one.reason for one in left()] == ["outcome_unknown"]


def test_what_waited_past_its_life_fails_as_expired(app, channel, home, bot):
    message = say(factories.conversation(home, bot), "stale", expires_in=timedelta(minutes=5))
    clock.move(301)
    assert recovery.expire() == 1
    assert (fresh(message).state, message.error, left()) == ("failed", "expired", [])


def test_what_was_queued_while_its_chat_was_being_blocked_is_canceled_and_never_claimed(app, channel, home, bot):
    chat = factories.conversation(home, bot)
    message = say(chat, "too late")
    chat.blocked_code = "bot_blocked"
    db.session.commit()
    lease = LeaseKeeper(db.engine, "one").acquire([bot.id])[0]
    with db.engine.begin() as connection:
        assert claim(connection, [ClaimRequest(bot.id, lease.epoch, 5)], [], clock.now()) == []
    assert gate_sweep.apply() == 1
    assert (fresh(message).state, message.error) == ("canceled", "bot_blocked")


def test_a_button_is_answered_beside_the_chats_order(app, channel, home, bot):
    delivery.answer_callback(bot, "cb1", "Muted", workspace_id=home.id)
    db.session.commit()
    run_until(app, idle)
    assert [(op.kind, op.external_id, op.text) for op in channel.accepted] == [("answer_callback", "cb1", "Muted")]


def test_two_processes_share_the_work_and_send_nothing_twice(app, channel, home):
    bots = [factories.bot(home) for _ in range(4)]
    for number in range(40):
        say(factories.conversation(home, bots[number % 4], str(number)), str(number))
    with dispatching(app, connections=4):
        run_until(app, idle)
    assert sorted(channel.texts(), key=int) == [str(number) for number in range(40)]
