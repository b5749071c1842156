"""Updates of many conversations in one transaction: the same rows as one by one, and the same guarantees."""

from __future__ import annotations

import pytest
from flask import Flask
from sqlalchemy import Engine, event, select

from backend.core import clock
from backend.core.database import db, system_scope
from backend.core.work import Turn
from backend.models import JobRun, User, WebhookEvent
from backend.services import intake, senders
from backend.services.intake import batch_processor, consumer, processor, telegram, telegram_batch
from backend.services.intake.batch_store import BatchStore
from tests.support import factories
from tests.support.databases import Databases
from tests.support.talking import Bot, commit, somebody, token_for
from tests.support.telegram_updates import arrive, attempts, everything_stored, press, states, texts, update


class Killed(BaseException):
    """The process is gone."""


@pytest.fixture
def linked(ada: User, bot: Bot) -> Bot:
    """Ada's chat is 5001."""
    bot.says(f"/start {token_for(ada, bot.sender)}")
    return bot


def drain() -> int:
    return intake.drain(Turn(120.0))


def kinds_of_updates() -> list[bytes]:
    """What people write, of every kind that a batch takes, and some that it leaves."""
    return [
        update(5001, "hello", message_id=11),
        update(5001, "hello", message_id=11, edit_date=5),
        update(5001, "/help"),
        update(5001, "/help"),
        update(5001, "/status"),
        update(5001, "/settings"),
        update(5001, "/link"),
        update(5001, "/frobnicate"),
        update(5020, "of another workspace"),
        update(5020, "/status"),
        update(5002, "a stranger"),
        update(5002, "once more"),
        update(5002, "/status"),
        update(5003, "/start"),
        update(5003, "behind a start"),
        update(5004, "forwarded words", forward_origin={"type": "hidden_user", "date": 1, "sender_user_name": "X"}),
        update(5005, "", photo=[{"file_id": "f1", "file_unique_id": "u1", "width": 1, "height": 1, "file_size": 9}]),
        update(5006, "/stop"),
        update(-100_200_300_400_5, "talk of the group", by=5001),
        update(-100_200_300_400_5, "/help@example_bot", by=5001),
        update(-100_200_300_400_5, "/status@example_bot", by=5009),
        update(-100_200_300_400_5, "/help@another_bot", by=5009),
        press(5001, "settings:locale:ko"),
        b'{"update_id": 77, "poll": {"id": "1"}}',
        b'{"update_id": 78, "message": 5}',
    ]


def test_a_batch_stores_the_same_as_one_by_one(
    app: Flask, databases: Databases, monkeypatch: pytest.MonkeyPatch
) -> None:
    bodies = kinds_of_updates()
    stored = []
    for forms in (batch_processor.BATCH_FORMS, {}):
        db.session.remove()
        databases.clean()
        home = factories.workspace()
        sender = senders.ensure_environment_sender("telegram_bot")
        assert sender is not None
        sender.username = "example_bot"
        ada = factories.user(home, email="ada@example.com", name="Ada")
        commit()
        eve = factories.user(factories.workspace(), email="eve@example.org", name="Eve")
        commit()
        Bot(sender).says(f"/start {token_for(ada, sender)}", message_id="1")
        Bot(sender).says(f"/start {token_for(eve, sender)}", message_id="1", by=somebody(5020))
        monkeypatch.setattr(batch_processor, "BATCH_FORMS", forms)
        arrive(sender, *bodies)
        while drain():
            clock.move(3)
        stored.append(everything_stored())
    together, alone = stored
    assert together == alone
    assert len(together["messages"]) > 25
    assert {state for state, _ in together["events"]} == {"done", "ignored", "parked"}


@pytest.mark.parametrize("number", [10, 100])
def test_the_number_of_statements_does_not_depend_on_the_number_of_updates(linked: Bot, number: int) -> None:
    arrive(linked.sender, *(update(6000 + i, "/help" if i % 3 else "hello") for i in range(number)))
    statements: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_others: object) -> None:
        statements.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        assert drain() == number
    finally:
        event.remove(Engine, "before_cursor_execute", note)
    # Whoever is met for the first time gets a contact and is found by the search, by nine statements for all.
    assert len(statements) <= 36


def test_a_conversation_keeps_its_order_around_what_goes_by_itself(linked: Bot) -> None:
    words = ["one", "/help", "/stop", "two", "/start", "three", "/stop", "/status", "four"]
    arrive(linked.sender, *(update(5001, text) for text in words), update(5002, "elsewhere"))
    before = len(texts())
    drain()
    assert [text for text in texts()[before:] if text != "elsewhere"] == words
    assert "Notifications are paused" in texts("out")[-1]
    assert set(states()) == {"done"}


def test_of_a_message_known_already_nothing_is_stored_twice(linked: Bot) -> None:
    arrive(linked.sender, update(5001, "hello", message_id=40), update(5001, "hello", message_id=40))
    drain()
    arrive(linked.sender, update(5001, "hello", message_id=40))
    drain()
    assert texts().count("hello") == 1
    assert states() == ["done"] * 3


def test_a_failing_update_leaves_the_batch_with_its_own_conversation_only(
    linked: Bot, monkeypatch: pytest.MonkeyPatch
) -> None:
    respond = telegram.respond

    def fail(context, event, redemption=None):
        if event.text == "poison":
            raise ValueError("a defect")
        respond(context, event, redemption)

    monkeypatch.setattr(telegram, "respond", fail)
    bodies = [update(5010, "before"), update(5010, "poison"), update(5010, "behind")]
    arrive(linked.sender, *bodies, *(update(6000 + i, "innocent") for i in range(30)))
    drain()
    assert states() == ["done", "new", "new", *["done"] * 30]
    for _ in range(processor.MAX_FAILURES):
        clock.move(60)
        drain()
    assert states() == ["done", "parked", "done", *["done"] * 30]
    assert attempts() == [1, processor.MAX_FAILURES, 1, *[1] * 30]
    assert texts().count("innocent") == 30
    assert texts()[-1] == "behind"


def test_a_batch_that_cannot_be_stored_is_processed_one_by_one(linked: Bot, monkeypatch: pytest.MonkeyPatch) -> None:
    write = BatchStore.write

    def refuse(self: BatchStore) -> None:
        write(self)
        raise ValueError("the last statement failed")

    monkeypatch.setattr(BatchStore, "write", refuse)
    arrive(linked.sender, *(update(6000 + i % 30, f"number {i}") for i in range(60)))
    assert drain() == 60
    assert set(states()) == {"done"}
    assert sorted(texts()[1:]) == sorted(f"number {i}" for i in range(60))
    assert max(attempts()) <= 3


def test_a_batch_that_kills_its_process_is_tried_one_by_one_and_parks_only_the_killer(
    linked: Bot, monkeypatch: pytest.MonkeyPatch
) -> None:
    respond = telegram.respond

    def die(context, event, redemption=None):
        if event.text == "deadly":
            raise Killed
        respond(context, event, redemption)

    monkeypatch.setattr(telegram, "respond", die)
    monkeypatch.setattr(telegram_batch.telegram, "respond", die)
    bodies = [update(5010, "deadly"), update(5010, "behind")]
    arrive(linked.sender, *(update(6000 + i, "innocent") for i in range(60)), *bodies)
    deaths = 0
    while "new" in states():
        try:
            drain()
            clock.move(400)
        except Killed:
            deaths += 1
            db.session.rollback()
            clock.move(400)
    assert deaths == processor.MAX_ATTEMPTS
    assert states() == [*["done"] * 60, "parked", "done"]
    assert max(attempts()[:60]) == 2, "once with the batch, once by itself"
    assert texts().count("innocent") == 60
    with system_scope("a test"):
        assert db.session.execute(select(JobRun.code)).scalars().all() == ["event_parked"]


def test_an_earlier_update_that_comes_to_light_late_goes_first(linked: Bot, monkeypatch: pytest.MonkeyPatch) -> None:
    """Numbers are given out before rows are committed."""
    arrive(linked.sender, update(5001, "first"), update(5001, "second"), update(5002, "elsewhere"))
    first = select(WebhookEvent).order_by(WebhookEvent.id).limit(1)
    with system_scope("a test"):
        db.session.execute(first).scalar_one().state = "ignored"
        db.session.commit()
    lock = batch_processor.claims.lock

    def come_to_light(ids: list[int]) -> set[int]:
        with system_scope("a test"):
            hidden = db.session.execute(first).scalar_one()
            if hidden.state == "ignored":
                hidden.state = "new"
                db.session.commit()
        return lock(ids)

    monkeypatch.setattr(batch_processor.claims, "lock", come_to_light)
    drain()
    assert [text for text in texts() if text in ("first", "second")] == ["first", "second"]
    assert attempts() == [1, 1, 1]


def test_what_is_claimed_and_not_processed_is_due_at_once(linked: Bot) -> None:
    arrive(linked.sender, *(update(6000 + i, "/start") for i in range(consumer.MAX_SINGLE * 3)))
    turn = Turn(0.0)
    assert intake.drain(turn) == 1
    assert turn.unfinished
    assert sorted(attempts()) == [0] * (consumer.MAX_SINGLE * 3 - 1) + [1]
    assert drain() == consumer.MAX_SINGLE * 3 - 1


def test_a_turn_that_is_over_gives_way_after_one_batch(linked: Bot, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(consumer, "MAX_BATCH", 10)
    monkeypatch.setattr(consumer, "_cursors", {})
    arrive(linked.sender, *(update(6000 + i, "hello") for i in range(35)))
    turn = Turn(0.0)
    assert intake.drain(turn) == 10
    assert turn.unfinished
    assert drain() == 25


def test_updates_of_a_bot_without_a_workspace_are_ended(app: Flask) -> None:
    sender = senders.ensure_environment_sender("telegram_bot")
    assert sender is not None
    sender.workspace_id = None
    commit()
    arrive(sender, update(6000, "hello"), update(6001, "/help"))
    assert drain() == 2
    assert texts() == []
