"""Several processes drain at once: each conversation keeps its order, and what one has found may be another's."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from datetime import timedelta

import pytest
from sqlalchemy import insert, select, text, update

from backend.channels import registry
from backend.channels.spec import Item
from backend.core import clock
from backend.core.database import db, system_scope
from backend.core.work import Turn
from backend.models import WebhookEvent
from backend.services import intake
from backend.services.intake import claims, consumer, processor
from tests.support import factories
from tests.support.fake_channel import FakeChannel

SECONDS = 20.0


class Numbered(FakeChannel):
    """Bodies are `{"n": number, "chat": name}`."""

    def items(self, body):
        read = json.loads(body)
        return [Item(None, str(read["n"]), read["chat"], "fake", body)]

    def parse(self, body):
        return [json.loads(body)]


@pytest.fixture(autouse=True)
def everything(app):
    Numbered().install()
    assert registry.get("telegram_bot").name == "telegram_bot"
    with system_scope("the intake serves all workspaces"):
        yield


@pytest.fixture
def bot(app):
    made = factories.bot(factories.workspace())
    db.session.commit()
    return made


@pytest.fixture
def handled(monkeypatch):
    """The numbers in the order in which they reached the handler."""
    seen: list[int] = []
    handling(monkeypatch, lambda event: seen.append(event["n"]))
    return seen


def handling(monkeypatch, handle: Callable[[dict], None]) -> None:
    monkeypatch.setitem(
        processor.HANDLERS, "telegram_bot", (lambda sender, event: None, lambda sender, event, facts: handle(event))
    )


def arrive(bot, *numbers, chat="one"):
    for number in numbers:
        intake.store(bot, json.dumps({"n": number, "chat": chat}).encode())
    db.session.commit()


def rows():
    db.session.rollback()
    return db.session.execute(
        select(WebhookEvent.id, WebhookEvent.state, WebhookEvent.attempts).order_by(WebhookEvent.id)
    ).all()


def draining_in(app, name, before: Callable[[], object] | None = None) -> Future[int]:
    """Another process's drain: a thread of this name with a session of its own."""

    def run() -> int:
        if before:
            before()
        with app.app_context():
            return intake.drain(Turn(60.0))

    pool = ThreadPoolExecutor(1, thread_name_prefix=name)
    started = pool.submit(run)
    pool.shutdown(wait=False)
    return started


def in_thread(name: str) -> bool:
    return threading.current_thread().name.startswith(name)


def test_an_event_in_another_processs_hands_holds_back_those_behind_it(app, bot, monkeypatch):
    """The first is slow between two events that it has claimed; the second has begun the next one meanwhile."""
    arrive(bot, 1, 2, 3)
    order, first_ended, second_at_it = [], threading.Event(), threading.Event()
    drains: list[Future[int]] = []

    def handle(event):
        if in_thread("second") and event["n"] == 2:
            second_at_it.set()
            wait(drains[:1], SECONDS)
        order.append(event["n"])

    process = processor.process

    def process_slowly(event):
        number, ended = event.id, process(event)
        if in_thread("first") and number == 1:
            clock.move(processor.PAUSES[0] + 1)
            first_ended.set()
            second_at_it.wait(SECONDS)
        return ended

    handling(monkeypatch, handle)
    monkeypatch.setattr(consumer, "process", process_slowly)
    drains.append(draining_in(app, "first"))
    drains.append(draining_in(app, "second", lambda: first_ended.wait(SECONDS)))
    for drain in drains:
        drain.result(SECONDS)
    assert order == [1, 2, 3]


def test_many_processes_together_keep_every_conversations_order(app, bot, monkeypatch):
    for number in range(60):
        arrive(bot, number, chat=f"chat {number % 4}")
    order: list[int] = []
    handling(monkeypatch, lambda event: order.append(event["n"]))
    for drain in [draining_in(app, f"drain {number}") for number in range(4)]:
        drain.result(SECONDS)
    clock.move(60)
    intake.drain(Turn(60.0))
    assert sorted(order) == list(range(60))
    for chat in range(4):
        of_chat = [number for number in order if number % 4 == chat]
        assert of_chat == sorted(of_chat)


def test_an_event_that_is_not_due_holds_back_those_behind_it(bot, handled):
    arrive(bot, 1, 2)
    db.session.execute(
        update(WebhookEvent).where(WebhookEvent.id == 1).values(due_at=clock.now() + timedelta(seconds=60))
    )
    db.session.commit()
    assert intake.drain(Turn(60.0)) == 0
    assert processor.begin(place_of(1)) is None
    clock.move(61)
    assert intake.drain(Turn(60.0)) == 2
    assert handled == [1, 2]


def test_a_stale_list_begins_nothing_and_burns_no_try(bot, handled):
    arrive(bot, 1, 2)
    place = place_of(1)
    begun = processor.begin(place)
    assert begun is not None
    assert begun.id == 1
    for _ in range(processor.MAX_ATTEMPTS + 1):
        assert processor.begin(place) is None, "its first was begun moments ago, and holds back the second"
    assert rows() == [(1, "new", 1), (2, "new", 0)]


def test_an_earlier_event_that_comes_to_light_late_goes_first_and_costs_the_later_one_no_try(
    app, bot, handled, monkeypatch
):
    """Numbers are given out before rows are committed: the first one's commit comes while the second is prepared."""
    arrive(bot, 1, 2)
    db.session.execute(update(WebhookEvent).where(WebhookEvent.id == 1).values(state="ignored"))
    db.session.commit()

    def prepare(sender, event):
        if event["n"] == 2 and not handled:
            with db.engine.begin() as connection:
                connection.execute(text("UPDATE webhook_events SET state = 'new' WHERE id = 1"))

    monkeypatch.setitem(processor.HANDLERS, "telegram_bot", (prepare, processor.HANDLERS["telegram_bot"][1]))
    intake.drain(Turn(60.0))
    assert handled == [1, 2]
    assert rows() == [(1, "done", 1), (2, "done", 1)]


def test_every_conversation_gets_its_turn_beyond_one_page(bot, handled, monkeypatch):
    monkeypatch.setattr(consumer, "MAX_BATCH", 3)
    for number in range(10):
        arrive(bot, number, chat=f"chat {number}")
    assert intake.drain(Turn(60.0)) == 10
    assert sorted(handled) == list(range(10))


def test_a_long_conversation_lets_the_others_have_their_turn(bot, handled):
    arrive(bot, *range(50), chat="long")
    arrive(bot, 100, chat="short")
    intake.drain(Turn(60.0))
    assert handled.index(100) <= consumer.MAX_SINGLE
    assert [number for number in handled if number < 100] == list(range(50))


def test_a_drain_whose_turn_is_over_is_followed_by_another(bot, handled):
    arrive(bot, 1, 2, 3)
    turn = Turn(0.0)
    assert intake.drain(turn) == 1
    assert turn.unfinished
    assert intake.drain(Turn(60.0)) == 2
    assert handled == [1, 2, 3]


def test_a_conversation_of_very_many_events_costs_one_step_of_the_index(bot):
    template = {
        "sender_id": bot.id,
        "channel": "telegram_bot",
        "key": b"x",
        "conversation_key": 7,
        "state": "new",
        "attempts": 0,
        "due_at": clock.now(),
        "received_at": clock.now(),
    }
    db.session.execute(insert(WebhookEvent), [template] * 5_000)
    db.session.commit()
    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE webhook_events"))
        values = {"senders": [bot.id], "keys": [-(2**63)], "ids": [0], "now": clock.now(), "most": consumer.MAX_BATCH}
        explained = text("EXPLAIN (ANALYZE, FORMAT JSON) " + claims._HEADS.text).bindparams(
            *claims._HEADS._bindparams.values()
        )
        plan = connection.execute(explained, values).scalar_one()[0]["Plan"]
    assert read(plan) <= 2
    assert [head.conversation_key for head in claims.heads({bot.id: -(2**63)}, 5, inclusive={bot.id})] == [7]


def read(plan) -> int:
    """How many rows of the table a plan has read."""
    own = plan["Actual Rows"] * plan["Actual Loops"] if plan.get("Relation Name") == "webhook_events" else 0
    dropped = plan.get("Rows Removed by Filter", 0) if own or plan.get("Relation Name") == "webhook_events" else 0
    return own + dropped + sum(read(part) for part in plan.get("Plans", ()))


def place_of(event_id: int) -> claims.ConversationPosition:
    event = db.session.get_one(WebhookEvent, event_id)
    return event.sender_id, event.conversation_key
