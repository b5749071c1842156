"""Events are stored once, processed in order within their conversation, and none blocks the others."""

from __future__ import annotations

import json

import pytest
from sqlalchemy import select

from backend.core import clock
from backend.core.database import db, system_scope
from backend.core.work import Turn
from backend.models import JobRun, WebhookEvent
from backend.services import intake
from backend.services.intake import processor
from tests.support import factories

CHATS = {"a": 501, "b": 502}


@pytest.fixture(autouse=True)
def everything(app):
    with system_scope("the intake serves all workspaces"):
        yield


@pytest.fixture
def bot(app):
    made = factories.bot(factories.workspace())
    db.session.commit()
    return made


@pytest.fixture
def handled(monkeypatch):
    """What reached the handler, as (chat, text); a text starting with `fail` raises."""
    seen: list[tuple[int, str]] = []

    def handle(sender, event, facts):
        assert facts == "prepared"
        seen.append((int(event.chat.id), event.text))
        if event.text.startswith("fail"):
            raise ValueError("a defect")

    monkeypatch.setitem(processor.HANDLERS, "telegram_bot", (lambda sender, event: "prepared", handle))
    return seen


def update(number, chat, text):
    person = {"id": CHATS[chat], "is_bot": False, "first_name": "Sam"}
    message = {
        "message_id": number,
        "date": 1_790_000_000,
        "chat": {"id": CHATS[chat], "type": "private", "first_name": "Sam"},
        "from": person,
        "text": text,
    }
    return json.dumps({"update_id": number, "message": message}).encode()


def arrive(bot, *bodies):
    for body in bodies:
        intake.store(bot, body)
    db.session.commit()


def states():
    db.session.rollback()
    return list(db.session.execute(select(WebhookEvent.state).order_by(WebhookEvent.id)).scalars())


def test_an_event_is_processed_once_and_its_repetition_is_a_no_op(bot, handled):
    arrive(bot, update(1, "a", "hello"), update(1, "a", "hello"))
    assert intake.drain(Turn(60.0)) == 1
    assert intake.store(bot, update(1, "a", "hello")) is False
    db.session.commit()
    assert intake.drain(Turn(60.0)) == 0
    assert handled == [(501, "hello")]


def test_the_same_number_with_another_body_is_another_event(bot, handled):
    arrive(bot, update(1, "a", "before the quiet week"), update(1, "a", "after it"))
    assert intake.drain(Turn(60.0)) == 2


def test_one_conversation_is_processed_in_order(bot, handled):
    arrive(bot, *(update(number, "a", str(number)) for number in range(60)))
    intake.drain(Turn(60.0))
    assert [text for _, text in handled] == [str(number) for number in range(60)]


def test_a_failing_event_holds_back_its_own_conversation_only_and_is_parked_in_the_end(bot, handled):
    arrive(bot, update(1, "a", "fail"), update(2, "a", "behind it"), update(3, "b", "elsewhere"))
    intake.drain(Turn(60.0))
    assert states() == ["new", "new", "done"]
    for _ in range(processor.MAX_FAILURES):
        clock.move(60)
        intake.drain(Turn(60.0))
    assert states() == ["parked", "done", "done"]
    assert [text for _, text in handled].count("fail") == processor.MAX_FAILURES
    event = db.session.execute(select(WebhookEvent).order_by(WebhookEvent.id).limit(1)).scalar_one()
    assert event.error == "ValueError"
    assert db.session.execute(select(JobRun.code)).scalar_one() == "event_parked"


def test_an_event_that_kills_its_worker_is_parked_after_its_tries(bot, handled, monkeypatch):
    arrive(bot, update(1, "a", "deadly"), update(2, "a", "behind it"))

    class Killed(BaseException):
        pass

    def die(sender, event, facts):
        if event.text == "deadly":
            raise Killed
        handled.append((int(event.chat.id), event.text))

    monkeypatch.setitem(processor.HANDLERS, "telegram_bot", (lambda sender, event: None, die))
    for _ in range(processor.MAX_ATTEMPTS):
        with pytest.raises(Killed):
            intake.drain(Turn(60.0))
        db.session.rollback()
        clock.move(600)
    intake.drain(Turn(60.0))
    intake.drain(Turn(60.0))
    assert states() == ["parked", "done"]
    assert handled == [(501, "behind it")]


def test_after_a_death_those_taken_with_it_wait_a_moment_and_go_before_the_next_try(bot, handled, monkeypatch):
    arrive(bot, update(1, "a", "deadly"), update(2, "b", "innocent"))

    class Killed(BaseException):
        pass

    def die(sender, event, facts):
        if event.text == "deadly":
            raise Killed
        handled.append((int(event.chat.id), event.text))

    def drain():
        try:
            intake.drain(Turn(60.0))
        except Killed:
            db.session.rollback()

    monkeypatch.setitem(processor.HANDLERS, "telegram_bot", (lambda sender, event: None, die))
    drain()
    arrive(bot, update(3, "b", "behind the innocent"))
    clock.move(3)
    drain()
    drain()
    assert handled == [(502, "innocent"), (502, "behind the innocent")]
    assert states() == ["new", "done", "done"]


def test_an_unreadable_body_is_kept_apart_and_blocks_nobody(bot, handled):
    arrive(bot, b"{not json", b"\xff\xfe\x00", update(2, "a", "fine"))
    intake.drain(Turn(60.0))
    assert states() == ["parked", "parked", "done"]
    assert handled == [(501, "fine")]


def test_a_malformed_update_is_put_aside_and_an_unknown_kind_ignored(bot, handled, monkeypatch):
    monkeypatch.setitem(processor.HANDLERS, "telegram_bot", (lambda sender, event: None, lambda *_: None))
    arrive(bot, b'{"update_id": 5, "message": 7}', b'{"update_id": 6, "new_update_kind": {}}', update(7, "a", "fine"))
    intake.drain(Turn(60.0))
    assert sorted(states()) == ["done", "ignored", "parked"]


def test_what_a_failing_handler_wrote_is_rolled_back(bot, monkeypatch):
    def write_and_fail(sender, event, facts):
        db.session.add(JobRun(job="half a change", state="succeeded", started_at=clock.now()))
        db.session.flush()
        raise ValueError

    monkeypatch.setitem(processor.HANDLERS, "telegram_bot", (lambda sender, event: None, write_and_fail))
    arrive(bot, update(1, "a", "x"))
    intake.drain(Turn(60.0))
    assert db.session.execute(select(JobRun)).scalars().all() == []


def test_the_body_is_encrypted_at_rest(bot, handled):
    arrive(bot, update(1, "a", "a private sentence"))
    stored = db.session.execute(select(WebhookEvent.body_encrypted)).scalar_one()
    assert stored is not None
    assert b"private" not in stored


def test_waiting_counts_only_what_is_due(bot, handled):
    assert not intake.WORK.is_due()
    arrive(bot, update(1, "a", "fail"))
    assert intake.WORK.is_due()
    intake.drain(Turn(60.0))
    assert not intake.WORK.is_due()
    clock.move(60)
    assert intake.WORK.is_due()
