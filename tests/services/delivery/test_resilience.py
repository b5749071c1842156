"""What a review proved could go wrong with the dispatch loop, each held by a test."""

from __future__ import annotations

import threading

import pytest
from sqlalchemy import text, update
from sqlalchemy.exc import DBAPIError

from backend.channels import registry
from backend.channels.base import Limits, Rate
from backend.channels.errors import Rejected, SenderDisabled
from backend.channels.telegram_bot import BotClient, TelegramBot
from backend.core import clock
from backend.core.database import db
from backend.core.leases import LEASE_SECONDS, Lease, LeaseKeeper
from backend.models import Delivery, Sender, SenderLease
from backend.services import delivery
from backend.services.dispatch import recovery
from backend.services.dispatch.chat_slots import assign_slots
from backend.services.dispatch.claims import ClaimRequest, claim
from backend.services.dispatch.pace import ChatPace
from tests.channels.scripted_server import Step, answer, scripted_server
from tests.support import factories
from tests.support.engine import dispatching, fresh, idle, left, run_until, say, until

pytestmark = pytest.mark.usefixtures("everything")


def test_a_sender_that_cannot_be_read_ends_no_other_senders_service(app, channel, home, bot):
    broken = factories.bot(home)
    say(factories.conversation(home, broken, "1"), "never")
    message = say(factories.conversation(home, bot, "2"), "hello")
    db.session.execute(update(Sender).where(Sender.id == broken.id).values(credentials_encrypted=b"\x01garbage"))
    db.session.commit()
    run_until(app, lambda: channel.texts() == ["hello"] and fresh(message).state == "sent")
    assert [row.sender_id for row in left()] == [broken.id]


def test_a_sender_of_an_unknown_channel_is_left_to_a_process_that_knows_it(app, channel, home, bot):
    stranger = factories.bot(home, channel="carrier_pigeon")
    db.session.add(
        Delivery(
            workspace_id=home.id,
            sender_id=stranger.id,
            operation="answer_callback",
            lane=0,
            due_at=clock.now(),
            payload={},
        )
    )
    say(factories.conversation(home, bot), "hello")
    run_until(app, lambda: channel.texts() == ["hello"])
    assert db.session.get(SenderLease, stranger.id) is None


def test_a_claim_whose_answer_was_lost_does_not_block_its_chat(app, channel, home, bot):
    chat = factories.conversation(home, bot, "1")
    say(chat, "first")
    with dispatching(app) as dispatcher:
        until(idle)
        orphan = delivery.send(chat, fresh_content("orphan"), kind="test")
        db.session.info.pop("wake_ups", None)  # No nudge: the test claims before the loop looks.
        db.session.commit()
        lease = dispatcher.keeper.held()[bot.id]
        with db.engine.begin() as connection:
            # The loop may be faster; then it sends it itself, and nothing has to be settled.
            claim(connection, [ClaimRequest(bot.id, lease.epoch, 1)], [], clock.now())
        behind = say(chat, "behind it")
        until(lambda: fresh(behind).state == "sent" and fresh(orphan).state == "sent", 15)


def test_an_outcome_that_cannot_be_stored_whole_is_stored_at_its_least(app, channel, home, bot):
    channel.script = lambda op: Rejected("refused", "with a \x00 in it")
    message = say(factories.conversation(home, bot), "hello")
    run_until(app, idle)
    assert (fresh(message).state, message.error) == ("failed", "refused")


def test_leases_are_renewed_until_the_last_outcome_is_recorded(app, channel, home, bot):
    message = say(factories.conversation(home, bot), "slow", at_most_once=True)
    started, go_on = threading.Event(), threading.Event()

    def script(op):
        started.set()
        assert go_on.wait(60)

    channel.script = script
    with dispatching(app) as dispatcher:
        assert started.wait(60)
        dispatcher.stop()
        db.session.rollback()
        before = db.session.get_one(SenderLease, bot.id, populate_existing=True).until

        def renewed():
            return db.session.get_one(SenderLease, bot.id, populate_existing=True).until > before

        until(renewed, 3 * LEASE_SECONDS)
        assert LeaseKeeper(db.engine, "successor").acquire([bot.id]) == []
        go_on.set()
    assert fresh(message).state == "sent"
    assert len(channel.accepted) == 1


def test_the_own_lease_comes_back_with_its_epoch(app, channel, home, bot):
    db.session.commit()
    keeper = LeaseKeeper(db.engine, "one")
    first = keeper.acquire([bot.id])[0]
    with db.engine.begin() as connection:
        connection.execute(text("UPDATE sender_leases SET until = clock_timestamp() - interval '1 s'"))
    assert keeper.acquire([bot.id])[0].epoch == first.epoch
    keeper.release([bot.id])
    assert keeper.acquire([bot.id])[0].epoch == first.epoch + 1


def test_taking_over_leaves_alone_what_was_settled_meanwhile(app, channel, home, bot):
    message = say(factories.conversation(home, bot), "hello")
    dead = LeaseKeeper(db.engine, "dead").acquire([bot.id])[0]
    with db.engine.begin() as connection:
        row = claim(connection, [ClaimRequest(bot.id, dead.epoch, 1)], [], clock.now())[0]
        connection.execute(text("UPDATE sender_leases SET until = clock_timestamp() - interval '1 s'"))
    second = LeaseKeeper(db.engine, "second").acquire([bot.id])[0]
    with db.engine.begin() as connection:
        connection.execute(text("UPDATE sender_leases SET until = clock_timestamp() - interval '1 s'"))
    third = LeaseKeeper(db.engine, "third").acquire([bot.id])[0]
    assert recovery.take_over(third) == 1
    with db.engine.begin() as connection:
        assert [one.id for one in claim(connection, [ClaimRequest(bot.id, third.epoch, 1)], [], clock.now())] == [
            row.id
        ]
    # The second wakes up late: what the third has in flight is not its to settle.
    assert recovery.take_over(second) == 0
    assert recovery.settle_orphans(second, [row.id]) == 0
    assert [one.state for one in left()] == ["sending"]
    assert fresh(message).state == "queued"


def test_a_refused_token_is_tried_once(app, channel, home, bot):
    tries = []

    def refuse(op):
        tries.append(op)
        return SenderDisabled("token_revoked")

    channel.script = refuse
    say(factories.conversation(home, bot), "hello")
    run_until(app, lambda: not db.session.get_one(Sender, bot.id, populate_existing=True).is_active)
    assert len(tries) == 1


def test_a_reply_never_waits_behind_a_chats_bulk(app, channel, home, bot):
    chat = factories.conversation(home, bot)
    for number in range(20):
        delivery.send(chat, fresh_content(number), kind="test", lane=delivery.Priority.BULK)
    db.session.commit()
    pace = ChatPace((Rate(1, 3.0),))
    pace.used(1000.0)
    now = clock.now()
    with db.engine.begin() as connection:
        assert assign_slots(connection, {chat.chat_key: (bot.id, pace)}, 1000.0, now) == 20
    reply = say(chat, "reply", lane=delivery.Priority.REPLY, not_before=None)
    say(chat, "more bulk", lane=delivery.Priority.BULK)
    with db.engine.begin() as connection:
        assign_slots(connection, {chat.chat_key: (bot.id, pace)}, 1000.0, clock.now())
    dues = {row.message_id: (row.due_at - now).total_seconds() for row in left()}
    assert dues[reply.id] < 4
    assert max(dues.values()) > 59


def test_a_huge_backlog_gets_its_moments_a_piece_at_a_time(app, channel, home, bot):
    channel.limits = Limits(per_chat=(Rate(1, 1.0),))
    chat = factories.conversation(home, bot)
    for number in range(450):
        delivery.send(chat, fresh_content(number), kind="test")
    db.session.commit()
    pace = ChatPace((Rate(1, 1.0),))
    pace.used(1000.0)
    now = clock.now()
    with db.engine.begin() as connection:
        assert assign_slots(connection, {chat.chat_key: (bot.id, pace)}, 1000.0, now) == 200
        assert assign_slots(connection, {chat.chat_key: (bot.id, pace)}, 1000.0, now) == 0
    dues = [row.due_at for row in left()]
    assert dues == sorted(dues)
    assert len(set(dues)) == 200


def test_renewing_and_claiming_many_senders_at_once_never_deadlocks(app, channel, home):
    bots = [factories.bot(home) for _ in range(12)]
    db.session.commit()
    keeper = LeaseKeeper(db.engine, "one")
    leases: list[Lease] = keeper.acquire([one.id for one in bots])
    failures: list[DBAPIError] = []

    def renew():
        for _ in range(60):
            try:
                keeper.renew()
            except DBAPIError as error:
                failures.append(error)

    thread = threading.Thread(target=renew)
    thread.start()
    for _ in range(60):
        with db.engine.begin() as connection:
            claim(
                connection,
                [ClaimRequest(lease.sender_id, lease.epoch, 1) for lease in reversed(leases)],
                [],
                clock.now(),
            )
    thread.join()
    assert failures == []


def fresh_content(number):
    from backend.channels.base import Content

    return Content(str(number))


def refusal(status: int, **body: object) -> Step:
    return answer(status, {"ok": False, "description": "x"} | body)


BEYOND = 10**400


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (refusal(429, error_code=429, parameters={"retry_after": BEYOND}), "rate_limited"),
        (refusal(429, error_code=429, parameters={"retry_after": -BEYOND}), "rate_limited"),
        (refusal(429, error_code=429, description="Too Many Requests: retry after 99999999999999"), "rate_limited"),
        (answer(429, b"<html>", {"Retry-After": "1e400"}), "rate_limited"),
        (answer(429, b"<html>", {"Retry-After": "Fri, 31 Dec 9999 23:59:59 GMT"}), "rate_limited"),
        (refusal(500, error_code=BEYOND), "server_error"),
        (answer(200, {"ok": True, "result": {"message_id": BEYOND, "date": BEYOND}}), "unreadable_answer"),
        (answer(200, {"ok": True, "result": {"message_id": -1}}), "unreadable_answer"),
        (answer(200, b'{"ok": true, "result": {"message_id": 1e400}}'), "unreadable_answer"),
        (answer(200, b"[" * 100_000), "unreadable_answer"),
        (answer(200, b'{"ok": true, "result": ' + b"9" * 5000 + b"}"), "unreadable_answer"),
    ],
)
def test_an_absurd_answer_of_a_provider_moves_the_due_time_within_bounds(app, home, bot, said, reason):
    with scripted_server() as server:
        registry.put("telegram_bot", TelegramBot(BotClient(server.url)))
        server.script = [said] + [refusal(500, error_code=500)] * 3
        message = say(factories.conversation(home, bot, "5"), "hello")
        run_until(app, lambda: any(row.reason == reason and row.attempts for row in left()))
    assert fresh(message).state == "queued"
    [row] = left()
    assert 0 < (row.due_at - clock.now()).total_seconds() <= 86_400
    lease = db.session.get(SenderLease, bot.id, populate_existing=True)
    paused = lease.paused_until if lease is not None else None
    assert paused is None or (paused - clock.now()).total_seconds() <= 86_400
