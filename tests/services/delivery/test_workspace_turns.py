"""Fairness: claims go round by workspace, then chat, and cost the same whatever waits."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import insert, text

from backend.channels.base import Content, Limits, Rate
from backend.core import clock
from backend.core.database import db
from backend.core.leases import LeaseKeeper
from backend.models import Delivery
from backend.services import delivery
from backend.services.delivery import gate
from backend.services.dispatch import claims as claiming
from backend.services.dispatch.claim_order import ClaimOrder
from backend.services.dispatch.claim_statement import claim_statement
from backend.services.dispatch.workspace_turns import WorkspaceTurn, WorkspaceTurns
from tests.services.delivery.test_plans import nodes, plan_of, reads_due
from tests.support import factories
from tests.support.engine import dispatching, idle, say, until

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
BUDGET = 3


# --- who has a turn ---


def waiting(found, sender_ids=(7,)):
    turns = WorkspaceTurns()
    turns.note(sender_ids, found, 0.0, 0.0)
    return turns


def workspaces(turns, budget=BUDGET, sender_id=7):
    return [turn.workspace_id for turn in turns.next(sender_id, budget)]


def test_workspaces_have_their_turns_one_after_the_other():
    turns = waiting([(7, 1, workspace) for workspace in (1, 2, 3, 4)])
    assert [workspaces(turns) for _ in range(4)] == [[1, 2, 3], [4, 1, 2], [3, 4, 1], [2, 3, 4]]


def test_a_budget_is_shared_by_those_that_wait():
    assert waiting([(7, 1, 1), (7, 1, 2)]).next(7, 3) == (WorkspaceTurn(1, 1, 0, 2), WorkspaceTurn(1, 2, 1, 2))
    assert waiting([(7, 1, 5)]).next(7, 3) == (WorkspaceTurn(1, 5, 0, 3),)


def test_lanes_and_senders_go_round_by_themselves():
    turns = waiting([(7, 0, 1), (7, 2, 2), (8, 1, 3)], (7, 8))
    assert [(turn.lane, turn.workspace_id) for turn in turns.next(7, 5)] == [(0, 1), (2, 2)]
    assert workspaces(turns, sender_id=8) == [3]


def test_who_is_new_has_its_turn_first_and_the_others_keep_their_order():
    turns = waiting([(7, 1, workspace) for workspace in (1, 2, 3)])
    assert workspaces(turns, 2) == [1, 2]
    turns.note([7], [(7, 1, 1), (7, 1, 3), (7, 1, 9)], 1.0, 1.0)
    assert workspaces(turns, 3) == [9, 3, 1]


def test_only_a_sender_that_has_more_due_than_it_may_send_has_turns():
    turns = WorkspaceTurns()
    turns.note_claim(7, in_turn=False, saturated=False)
    assert turns.to_read(10.0) == []
    turns.note_claim(7, in_turn=False, saturated=True)
    turns.note_claim(7, in_turn=False, saturated=False)
    assert turns.to_read(10.0) == [7]
    turns.note([7], [(7, 1, 1)], 10.0, 10.0)
    assert workspaces(turns) == [
        1,
    ]
    turns.note_claim(7, in_turn=True, saturated=True)
    assert turns.to_read(10.2) == []
    assert turns.to_read(10.3) == [7]
    turns.note([7], [(7, 1, 1)], 10.3, 10.3)
    assert turns.to_read(10.6) == []
    assert workspaces(turns) == []


def test_a_claim_that_the_turns_did_not_fill_is_followed_by_one_in_order_of_time():
    turns = waiting([(7, 1, 1)])
    turns.note_claim(7, in_turn=True, saturated=False)
    assert workspaces(turns) == []
    turns.note_claim(7, in_turn=False, saturated=True)
    assert workspaces(turns) == [1]


# --- claims ---


@pytest.fixture
def epoch(everything, bot):
    db.session.commit()
    keeper = LeaseKeeper(db.engine)
    yield keeper.acquire([bot.id])[0].epoch
    keeper.release([bot.id])


def store(home, bot, count, *, first=0, lane=1, **values):
    """So many operations that are due, each of another chat."""
    chat = factories.conversation(home, bot, f"{home.id}-{first}")
    row = {
        "workspace_id": home.id,
        "sender_id": bot.id,
        "conversation_id": chat.id,
        "operation": "send",
        "lane": lane,
    } | values
    rows = [
        {"chat_key": home.id * 1_000_000 + first + number, "due_at": NOON + timedelta(seconds=first + number)} | row
        for number in range(count)
    ]
    db.session.execute(insert(Delivery), rows)
    db.session.commit()


def request(bot, epoch, turns=(), budget=BUDGET, **values):
    return claiming.ClaimRequest(bot.id, epoch, budget, turns=tuple(turns), **values)


def taken(claims, *requests):
    with claims.begin() as connection:
        rows = claiming.claim(connection, requests, [], clock.now())
    return sorted((row.workspace_id, row.chat_key) for row in rows)


def rounds(claims, bot, epoch, count):
    """The workspaces that claims take from, with turns as the loop reads them."""
    turns = WorkspaceTurns()
    with claims.connect() as connection:
        turns.note([bot.id], claiming.workspaces_with_due(connection, [bot.id], clock.now()), 0.0, 0.0)
    return [
        [workspace for workspace, _ in taken(claims, request(bot, epoch, turns.next(bot.id, BUDGET)))]
        for _ in range(count)
    ]


def test_a_message_behind_another_workspaces_flood_is_in_the_first_claim(claims, home, bot, epoch):
    other = factories.workspace()
    store(home, bot, 500)
    store(other, bot, 1, first=1000)
    assert rounds(claims, bot, epoch, 2) == [[home.id, home.id, other.id], [home.id, home.id]]


def test_two_floods_share_the_sender_and_a_third_workspace_does_not_wait_for_them(claims, home, bot, epoch):
    other, third = factories.workspace(), factories.workspace()
    store(home, bot, 200)
    store(other, bot, 200, first=500)
    store(third, bot, 1, first=1000)
    first, *following = rounds(claims, bot, epoch, 3)
    assert first == [home.id, other.id, third.id]
    assert all({home.id, other.id} <= set(claimed) for claimed in following)


def test_of_more_workspaces_than_a_claim_takes_each_has_its_turn_before_any_has_a_second(claims, home, bot, epoch):
    homes = [home, *(factories.workspace() for _ in range(6))]
    for number, one in enumerate(homes):
        store(one, bot, 50, first=number)
    claimed = [workspace for claim in rounds(claims, bot, epoch, 7) for workspace in claim]
    assert len(claimed) == 21
    assert {claimed.count(one.id) for one in homes} == {3}


def test_a_lane_without_turns_is_claimed_in_order_of_time_and_before_lower_ones(claims, home, bot, epoch):
    store(home, bot, 20)
    store(home, bot, 1, first=500, lane=0)
    turn = WorkspaceTurn(1, home.id, 0, BUDGET)
    assert (home.id, home.id * 1_000_000 + 500) in taken(claims, request(bot, epoch, [turn]))


def test_within_a_workspace_a_chat_without_a_backlog_has_every_other_place(claims, home, bot, epoch):
    store(home, bot, 30, in_backlog=True, reason="chat_pace")
    store(home, bot, 2, first=1000)
    turn = WorkspaceTurn(1, home.id, 0, BUDGET)
    keys = [key - home.id * 1_000_000 for _, key in taken(claims, request(bot, epoch, [turn]))]
    assert keys == [0, 1000, 1001]
    assert taken(claims, request(bot, epoch, [turn], 1)) == [(home.id, home.id * 1_000_000 + 1)]


@pytest.mark.parametrize(("backlog_first", "taken_key"), [(False, 1000), (True, 0)])
def test_one_place_goes_to_both_kinds_by_turns(claims, home, bot, epoch, backlog_first, taken_key):
    store(home, bot, 3, in_backlog=True)
    store(home, bot, 3, first=1000)
    turn = WorkspaceTurn(1, home.id, 0, 1)
    one = request(bot, epoch, [turn], 1, backlog_first=backlog_first)
    assert taken(claims, one) == [(home.id, home.id * 1_000_000 + taken_key)]


def test_what_came_to_a_chat_after_its_backlog_does_not_overtake_it(claims, home, bot, epoch):
    store(home, bot, 5, in_backlog=True)
    db.session.execute(text("UPDATE deliveries SET chat_key = 77, due_at = due_at + interval '1 hour'"))
    store(home, bot, 1, first=1000, chat_key=77)
    backlog, later = ids_of(in_backlog=True), ids_of(in_backlog=False)
    db.session.execute(text("UPDATE deliveries SET due_at = :noon WHERE NOT in_backlog"), {"noon": NOON})
    db.session.commit()
    turn = WorkspaceTurn(1, home.id, 0, 1)
    with claims.begin() as connection:
        (row,) = claiming.claim(connection, [request(bot, epoch, [turn], 2)], [], clock.now())
    assert row.id in backlog
    assert row.id not in later


def ids_of(*, in_backlog):
    rows = db.session.execute(text("SELECT id FROM deliveries WHERE in_backlog = :it"), {"it": in_backlog})
    return {row.id for row in rows}


def test_workspaces_with_nothing_due_yet_have_no_turn(claims, home, bot, epoch):
    later = factories.workspace()
    store(home, bot, 2)
    store(later, bot, 2, first=10)
    db.session.execute(
        text("UPDATE deliveries SET due_at = :later WHERE workspace_id = :id"),
        {"later": clock.now() + timedelta(hours=1), "id": later.id},
    )
    db.session.commit()
    with claims.connect() as connection:
        found = claiming.workspaces_with_due(connection, [bot.id], clock.now())
    assert found == [(bot.id, 1, home.id)]


def test_a_claim_in_turn_reads_the_beginning_of_each_workspaces_rows(claims, home, bot, epoch):
    other = factories.workspace()
    store(home, bot, 20_000)
    store(other, bot, 20_000, first=30_000)
    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("ANALYZE deliveries"))
    turns = [WorkspaceTurn(1, one.id, place, 13) for place, one in enumerate((home, other))]
    want = request(bot, epoch, turns, 25)
    plan = plan_of(claims, claim_statement(gate.rules(), in_turn=True), claiming.values_of([want], [], clock.now()))
    read = {node["Index Name"]: node["Actual Rows"] * node["Actual Loops"] for node in nodes(plan) if reads_due(node)}
    assert read["ix_deliveries_workspace"] <= 28
    assert read.get("ix_deliveries_due", 0) == 0
    assert read.get("ix_deliveries_backlog", 0) == 0


# --- the shares of lower lanes ---


def test_notifications_get_their_share_of_a_claim_before_replies(claims, home, bot, epoch):
    other = factories.workspace()
    store(home, bot, 20, lane=0)
    store(other, bot, 5, first=1000, lane=1)
    assert [workspace for workspace, _ in taken(claims, request(bot, epoch, budget=5, notices=1))] == [
        home.id, home.id, home.id, home.id, other.id
    ]  # fmt: skip
    assert [workspace for workspace, _ in taken(claims, request(bot, epoch, budget=5))] == [home.id] * 5


def test_what_a_share_has_no_use_for_goes_to_replies(claims, home, bot, epoch):
    store(home, bot, 20, lane=0)
    assert len(taken(claims, request(bot, epoch, budget=5, notices=2, bulk=2))) == 5


@pytest.mark.parametrize("budget", [1, 3, 25])
def test_in_a_hundred_places_twenty_are_for_notifications_and_ten_for_bulk(claims, budget):
    order = ClaimOrder(claims)
    asked = [order.request(1, 1, budget, None) for _ in range(100 // budget)]
    assert abs(sum(one.notices for one in asked) - 20) <= 1
    assert abs(sum(one.bulk for one in asked) - 10) <= 1
    assert all(one.notices + one.bulk <= budget for one in asked)


# --- the loop ---


def flood(chats, words="flood"):
    for chat in chats:
        delivery.send(chat, Content(words), kind="test")
    db.session.commit()


def test_another_workspaces_message_does_not_wait_for_a_flood_of_many_chats(app, everything, channel, home, bot):
    channel.limits = Limits(per_sender=(Rate(20, 0.2),))
    other = factories.workspace()
    flood([factories.conversation(home, bot, f"a{number}") for number in range(400)])
    with dispatching(app):
        until(lambda: len(channel.accepted) >= 60)
        before = len(channel.accepted)
        say(factories.conversation(other, bot, "b"), "mine")
        until(lambda: "mine" in channel.texts())
        assert channel.texts().index("mine") - before < 150
        assert len(channel.accepted) < 400


def test_another_workspaces_notification_does_not_wait_for_a_flood_of_replies(app, everything, channel, home, bot):
    channel.limits = Limits(per_sender=(Rate(20, 0.2),))
    other = factories.workspace()
    for number in range(400):
        chat = factories.conversation(home, bot, f"a{number}")
        delivery.send(chat, Content("flood"), kind="reply", lane=delivery.Priority.REPLY)
    db.session.commit()
    with dispatching(app):
        until(lambda: len(channel.accepted) >= 60)
        before = len(channel.accepted)
        say(factories.conversation(other, bot, "b"), "mine")
        until(lambda: "mine" in channel.texts())
        assert channel.texts().index("mine") - before < 150
        assert len(channel.accepted) < 400


def test_many_due_of_one_chat_do_not_hold_up_the_chats_behind_it(app, everything, channel, home, bot):
    """A claim finds as many rows of the first chat as it may take, and takes one of them."""
    channel.limits = Limits(per_sender=(Rate(20, 0.2),), per_chat=(Rate(1, 3600.0),))
    for number in range(5):
        chat = factories.conversation(home, bot, str(number))
        flood([chat] * 40, str(number))
    with dispatching(app) as dispatcher:
        turns = counted(dispatcher)
        until(lambda: len(set(channel.texts())) == 5)
    assert len(turns) < 40


def counted(dispatcher):
    """Counts the loop's rounds from now on."""
    rounds_run, run = [], dispatcher._turn

    def turn():
        rounds_run.append(1)
        return run()

    dispatcher._turn = turn
    return rounds_run


def test_a_flood_of_many_chats_with_backlogs_does_not_hold_up_a_new_chat(app, everything, channel, home, bot):
    """Each of the chats may be written to once in 0.1 s, together four times as often as the bot may write."""
    channel.limits = Limits(per_sender=(Rate(10, 0.1),), per_chat=(Rate(1, 0.1),))
    flood([factories.conversation(home, bot, str(number)) for number in range(40)] * 12)
    with dispatching(app):
        until(lambda: len(channel.accepted) >= 150)
        before = len(channel.accepted)
        say(factories.conversation(home, bot, "new"), "mine")
        until(lambda: "mine" in channel.texts())
        assert channel.texts().index("mine") - before < 100
        until(idle, 30)
