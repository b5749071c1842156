"""Automatic answers: repeats while one waits, the same text in a minute, at most so many, and their age."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import delete, select, update

from backend.channels.base import Content
from backend.core import clock
from backend.core.database import db, system_scope
from backend.core.work import Turn
from backend.models import Conversation, Delivery, Message, User, WebhookEvent
from backend.services import delivery, intake
from backend.services.intake import answer_limits as limits
from backend.services.intake import batch_processor
from backend.services.intake.answer_limits import Answer, AnswerHistory, digest_of
from tests.support.talking import Bot, token_for
from tests.support.telegram_updates import arrive
from tests.support.telegram_updates import press as pressed
from tests.support.telegram_updates import update as written

SLOWLY = "Please go a little slower"


@pytest.fixture(params=["together", "one_by_one"])
def linked(request: pytest.FixtureRequest, ada: User, bot: Bot, monkeypatch: pytest.MonkeyPatch) -> Bot:
    """Ada's chat is 5001. Both ways of processing keep to the limits."""
    if request.param == "one_by_one":
        monkeypatch.setattr(batch_processor, "BATCH_FORMS", {})
    bot.says(f"/start {token_for(ada, bot.sender)}")
    return bot


def hears(bot: Bot, *words: str, seconds: float = 0.0) -> None:
    """Ada writes, and the drain answers; then time passes."""
    arrive(bot.sender, *(written(5001, text) for text in words))
    intake.drain(Turn(120.0))
    clock.move(seconds)


def send_what_waits() -> None:
    """Everything that waits is accepted by the provider."""
    with system_scope("a test"):
        db.session.execute(update(Message).where(Message.state == "queued").values(state="sent"))
        db.session.execute(delete(Delivery))
        db.session.commit()


def answers(state: str | None = None, error: str | None = None) -> list[Message]:
    """The bot's messages behind the first, which says that the chat was linked."""
    with system_scope("a test"):
        db.session.rollback()
        query = select(Message).where(Message.direction == "out").order_by(Message.id).offset(1)
        rows = db.session.execute(query).scalars().all()
        return [row for row in rows if (state is None or row.state == state) and (error is None or row.error == error)]


def reasons() -> list[str | None]:
    """What the chat's inbound messages say of their answers, behind the link's."""
    with system_scope("a test"):
        db.session.rollback()
        query = select(Message.error).where(Message.direction == "in").order_by(Message.id).offset(1)
        return list(db.session.execute(query).scalars())


def text_of(message: Message) -> str:
    return message.body["parts"][0]["text"]


def test_a_flood_is_answered_once_while_the_answer_waits(linked: Bot) -> None:
    hears(linked, *["/help"] * 60)
    assert len(answers()) == 1
    assert reasons() == [None, *["answer_waiting"] * 59]


def test_what_differs_is_answered_while_others_wait(linked: Bot) -> None:
    hears(linked, "/help", "/status", "/help", "/settings")
    assert len(answers("queued")) == 3


def test_after_five_in_a_minute_the_same_text_goes_once_a_minute(linked: Bot) -> None:
    for _ in range(40):
        hears(linked, "/help", seconds=1)
        send_what_waits()
    given = [text_of(message) for message in answers("sent")]
    assert len(given) == 6
    assert SLOWLY in given[5]
    assert [message.error for message in answers("canceled")] == ["answer_repeated"], "shown once a minute"
    assert set(reasons()[5:]) == {"answer_repeated"}
    clock.move(25)
    hears(linked, "/help")
    assert len(answers("queued")) == 1, "the first five are more than a minute ago"


def test_never_more_than_twenty_a_minute_and_the_last_asks_to_go_slower(linked: Bot) -> None:
    for number in range(30):
        hears(linked, f"/start campaign-{number}", "/status" if number % 2 else "/stop")
        send_what_waits()
    given = [text_of(message) for message in answers("sent")]
    assert len(given) <= 20
    assert sum(SLOWLY in text for text in given) == 1


def test_twenty_different_answers_are_the_most_of_a_minute() -> None:
    history = AnswerHistory()
    for number in range(30):
        code = history.refusal(f"text {number}", 100.0, ())
        if code is None:
            history.answers.append(Answer(100.0, f"text {number}", number))
    assert len(history.answers) == limits.MAX_PER_MINUTE - 1
    assert history.refusal("another", 100.0, ()) == "too_many_answers"
    history.note(limits.SLOW_DOWN, 100.0)
    assert history.refusal("another", 100.0, ()) is None, "the last place was kept for asking to go slower"
    assert history.refusal("another", 100.0 + limits.WINDOW_SECONDS, ()) is None


def test_going_slower_is_asked_once_an_hour(linked: Bot) -> None:
    for _ in range(3):
        for _ in range(8):
            hears(linked, "/help", seconds=1)
            send_what_waits()
        clock.move(120)
    assert sum(SLOWLY in text_of(message) for message in answers("sent")) == 1


def test_an_answer_expires_ten_minutes_after_its_command(linked: Bot) -> None:
    hears(linked, "/help")
    with system_scope("a test"):
        row = db.session.execute(select(Delivery).order_by(Delivery.id.desc()).limit(1)).scalar_one()
        received_at = db.session.execute(select(WebhookEvent.received_at)).scalar_one()
    assert row.expires_at is not None
    assert abs(row.expires_at - received_at - timedelta(minutes=10)) < timedelta(seconds=5)


def test_a_command_that_was_processed_too_late_is_not_answered_and_says_why(linked: Bot) -> None:
    arrive(linked.sender, written(5001, "/help"), written(5001, "/status"))
    clock.move(601)
    intake.drain(Turn(120.0))
    assert reasons() == ["command_too_old"] * 2
    (shown,) = answers()
    assert (shown.state, shown.error) == ("canceled", "command_too_old")
    with system_scope("a test"):
        assert delivery.status_of(shown).reason == "command_too_old"


def test_the_same_answer_again_is_due_after_those_of_other_chats(linked: Bot) -> None:
    hears(linked, "/help")
    send_what_waits()
    hears(linked, "/help", "/status")
    arrive(linked.sender, written(6001, "/help"))
    intake.drain(Turn(120.0))
    with system_scope("a test"):
        query = select(Delivery.reason, Message.conversation_id).join(Message, Message.id == Delivery.message_id)
        waiting = db.session.execute(query.order_by(Delivery.due_at)).all()
        home = db.session.execute(select(Conversation.id).order_by(Conversation.id).limit(1)).scalar_one()
    assert [reason for reason, _ in waiting] == ["queued", "queued", "repeated_answer"]
    assert [conversation_id == home for _, conversation_id in waiting] == [True, False, True]


def test_an_answer_that_has_expired_holds_back_no_other(linked: Bot) -> None:
    hears(linked, "/help", seconds=601)
    hears(linked, "/help")
    assert len(answers("queued")) == 2


def test_what_a_person_did_is_always_confirmed(linked: Bot, ada: User) -> None:
    """Linking happens once, whatever was asked before it."""
    for _ in range(10):
        hears(linked, "/help", seconds=1)
        send_what_waits()
    linked.says("/link " + token_for(ada, linked.sender))
    assert answers()[-1].kind == "linked"


def test_twenty_presses_a_minute_are_answered_and_all_are_done(linked: Bot, ada: User) -> None:
    presses = [f"settings:locale:{'ko' if number % 2 else 'en'}" for number in range(limits.MAX_PER_MINUTE + 6)]
    arrive(linked.sender, *(pressed(5001, data) for data in presses[:-1]))
    intake.drain(Turn(120.0))
    assert len(linked.answers()) == limits.MAX_PER_MINUTE
    with system_scope("a test"):
        db.session.refresh(ada)
        assert ada.locale == "en"
    arrive(linked.sender, pressed(5001, presses[-1]))
    intake.drain(Turn(120.0))
    with system_scope("a test"):
        db.session.refresh(ada)
        assert ada.locale == "ko"
    clock.move(61)
    arrive(linked.sender, pressed(5001, presses[0]))
    intake.drain(Turn(120.0))
    assert len(linked.answers()) == limits.MAX_PER_MINUTE + 1


def test_the_history_is_short_however_long_the_flood() -> None:
    history = AnswerHistory()
    for number in range(10_000):
        history.drop_old(float(number), range(number))
        if history.refusal(str(number), float(number), ()) is None:
            history.answers.append(Answer(float(number), str(number), number))
    assert len(repr(history.to_json())) < 3_000


def test_a_history_is_read_as_it_was_kept() -> None:
    history = AnswerHistory([Answer(1.5, digest_of(Content("x")), -1)], {"how_to": 2.0})
    kept = history.to_json({-1: 77})
    assert AnswerHistory.from_json(kept) == AnswerHistory([Answer(1.5, digest_of(Content("x")), 77)], {"how_to": 2.0})


def test_the_history_holds_no_text(linked: Bot) -> None:
    hears(linked, "/help", "/status")
    with system_scope("a test"):
        kept = db.session.execute(select(Conversation.recent_answers)).scalar_one()
    assert kept is not None
    assert len(kept["answers"]) == 2
    assert all(len(digest) == 16 for _, digest, _ in kept["answers"])
