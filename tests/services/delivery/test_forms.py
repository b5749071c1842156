"""Refused for its form: the message goes on in a milder one, by stored steps, and never twice."""

from __future__ import annotations

import json
import threading
from datetime import timedelta

import pytest
from sqlalchemy import select

from backend.channels.base import Button, Content, Media
from backend.channels.errors import OutcomeUnknown, RetryLater
from backend.core import clock
from backend.core.database import db
from backend.models import Attempt, Delivery, MessagePart
from backend.services import delivery
from backend.services.delivery import status_of
from backend.services.dispatch.milder_forms import REASON
from tests.support import factories
from tests.support.engine import dispatching, fresh, idle, left, run_until, until
from tests.support.picky_channel import PickyChannel

pytestmark = pytest.mark.usefixtures("everything")

OPEN = Button("Open", url="https://a.example.com/")
ACK = Button("Acknowledge", data="alert:ack:1")
PICTURE = Media("photo", external_file_id="p")
LINKED = '<a href="https://graphs.example.com/d/1">Disk</a> full'
NO_PHOTOS = "not enough rights to send photos to the chat"
UNKNOWN = OutcomeUnknown("read_timeout")


@pytest.fixture
def channel(app):
    return PickyChannel().install()


@pytest.fixture
def chat(home, bot):
    return factories.conversation(home, bot)


def say(chat, content, **options):
    message = delivery.send(chat, content, kind="test", **options)
    db.session.commit()
    return message


def attempts():
    query = select(Attempt.operation, Attempt.phase, Attempt.code).order_by(Attempt.id)
    return [tuple(row) for row in db.session.execute(query)]


def no_media(op):
    return NO_PHOTOS if op.content and op.content.media else None


def test_a_picture_that_may_not_be_posted_leaves_its_text(app, channel, chat):
    channel.judge = no_media
    message = say(chat, Content(LINKED, "html", ((ACK,),), (PICTURE,)))
    run_until(app, idle)
    message = fresh(message)
    assert (message.state, status_of(message).left_out) == ("sent", ("attachment",))
    assert [(op.content.text, op.content.media, op.content.buttons) for op in channel.accepted] == [
        (LINKED, (), ((ACK,),))
    ]
    assert attempts() == [("send", "started", None), ("send", "milder", "media_not_allowed"), ("send", "started", None)]


@pytest.mark.parametrize("at_most_once", [False, True])
@pytest.mark.parametrize(
    ("content", "refused", "left_out"),
    [
        (Content("x", "plain", ((OPEN, ACK),)), "BUTTON_URL_INVALID", "address_buttons"),
        (Content("x", "plain", ((OPEN, ACK),)), "reply markup is too long", "address_buttons"),
        (Content(LINKED, "html"), "ENTITIES_TOO_LONG", "links"),
        (Content("<b>x</b>", "html"), "can't parse entities: unclosed", "formatting"),
        (Content("x", media=(PICTURE,)), "CHAT_SEND_PHOTOS_FORBIDDEN", "attachment"),
        (Content("x", media=(PICTURE,)), "wrong type of the web page content", "attachment"),
    ],
)
def test_every_decoration_gives_way_to_the_words(app, channel, chat, content, refused, left_out, at_most_once):
    channel.judge = lambda op: refused if op.form.left_out == () else None
    message = say(chat, content, at_most_once=at_most_once)
    run_until(app, idle)
    assert (fresh(message).state, status_of(message).left_out) == ("sent", (left_out,))
    assert len(channel.accepted) == 1


def test_words_that_only_name_a_picture_that_may_not_be_posted_are_not_sent(app, channel, chat):
    channel.judge = no_media
    message = say(chat, Content("📎 Disk full", media=(PICTURE,), caption_only=True))
    run_until(app, idle)
    assert (fresh(message).state, fresh(message).error) == ("failed", "media_not_allowed")
    assert channel.accepted == []


def test_a_refusal_in_a_later_part_leaves_the_parts_before_it_alone(app, channel, chat):
    channel.judge = lambda op: "BUTTON_URL_INVALID" if any(b.url for row in op.content.buttons for b in row) else None
    message = say(chat, Content("x" * 4096 + "y" * 4090, "plain", ((OPEN, ACK),)))
    run_until(app, idle)
    texts = channel.texts()
    assert texts[0] == "x" * 4096
    assert "".join(texts[1:]).replace("\n", "") == "y" * 4090 + "Open: https://a.example.com/"
    assert len(texts) == 3
    parts = db.session.execute(select(MessagePart.part).order_by(MessagePart.part)).scalars().all()
    assert (parts, fresh(message).state) == ([0, 1, 2], "sent")


def test_parts_that_a_step_adds_live_as_long_as_the_others(app, channel, chat):
    channel.judge = lambda op: "MESSAGE_TOO_LONG" if len(op.content.text) > 3000 else RetryLater(600, "rate_limited")
    say(chat, Content("x" * 4000), expires_in=timedelta(minutes=5))
    run_until(app, lambda: [row.reason for row in left()] == ["rate_limited", "queued"])
    assert all(row.expires_at and row.expires_at <= clock.now() + timedelta(minutes=5) for row in left())


def test_a_step_is_stored_with_its_attempt_before_the_next_try(app, channel, chat):
    """What a process that dies after it leaves: the milder form, due, with the tries counted."""
    channel.judge = lambda op: no_media(op) or RetryLater(600, "rate_limited")
    message = say(chat, Content("words", media=(PICTURE,)), at_most_once=True)
    run_until(app, lambda: [row.reason for row in left()] == ["rate_limited"])
    (row,) = left()
    assert (row.state, row.attempts, row.at_most_once) == ("due", 2, True)
    assert fresh(message).body["form"] == {"media_kept": 0}
    assert "media" not in message.body["parts"][0]
    assert REASON == "milder_form"


def test_the_form_is_kept_when_the_milder_try_meets_something_else(app, channel, chat):
    """A 429 or a time-out after a step does not begin at the top again."""
    answers = iter([NO_PHOTOS, RetryLater(0.0, "rate_limited"), UNKNOWN, None])
    channel.judge = lambda op: next(answers)
    message = say(chat, Content("words", media=(PICTURE,)))

    def later():
        clock.move(2)
        return idle()

    with dispatching(app):
        until(lambda: channel.refused)
        until(later)
    assert [bool(op.content.media) for op in channel.refused] == [True, False, False]
    assert fresh(message).state == "sent"


def test_an_edit_keeps_the_form_and_is_not_refused_again(app, channel, chat):
    channel.judge = lambda op: "BUTTON_URL_INVALID" if any(b.url for row in op.content.buttons for b in row) else None
    message = say(chat, Content("one", "plain", ((OPEN, ACK),)))
    run_until(app, idle)
    delivery.edit(fresh(message), Content("two", "plain", ((OPEN, ACK),)))
    db.session.commit()
    run_until(app, idle)
    assert len(channel.refused) == 1
    assert channel.texts("edit") == ["two\n\nOpen: https://a.example.com/"]
    assert status_of(fresh(message)).left_out == ("address_buttons",)


def test_an_edit_that_is_refused_for_its_form_goes_in_a_milder_one(app, channel, chat):
    message = say(chat, Content("one"))
    run_until(app, idle)
    channel.judge = lambda op: "ENTITIES_TOO_LONG" if "href" in op.content.text else None
    delivery.edit(fresh(message), Content(LINKED, "html"))
    db.session.commit()
    run_until(app, idle)
    assert channel.texts("edit") == ["Disk (https://graphs.example.com/d/1) full"]
    assert (fresh(message).gone_code, status_of(message).left_out) == (None, ("links",))
    assert [row.sent_version for row in db.session.scalars(select(MessagePart))] == [message.version]


def test_an_edit_of_a_message_whose_picture_was_left_out_edits_its_text(app, channel, chat):
    channel.judge = no_media
    message = say(chat, Content("one", media=(PICTURE,)))
    run_until(app, idle)
    delivery.edit(fresh(message), Content("two", media=(PICTURE,)))
    db.session.commit()
    run_until(app, idle)
    assert [(op.content.text, op.content.media) for op in channel.accepted] == [("one", ()), ("two", ())]


def test_newer_words_that_come_while_the_old_ones_are_refused_are_said_as_meant(app, channel, chat):
    message = say(chat, Content(LINKED, "html"))
    started, go_on = threading.Event(), threading.Event()

    def judge(op):
        if "href" in op.content.text:
            started.set()
            assert go_on.wait(60)
            return "ENTITIES_TOO_LONG"
        return None

    channel.judge = judge
    with dispatching(app):
        assert started.wait(60)
        delivery.edit(fresh(message), Content("<b>newer</b>", "html"))
        db.session.commit()
        go_on.set()
        until(idle)
    assert channel.texts() == ["<b>newer</b>"]
    assert status_of(fresh(message)).left_out == ()


def test_a_picture_without_words_that_may_not_be_posted_fails_with_the_reason(app, channel, chat):
    channel.judge = no_media
    message = say(chat, Content(media=(PICTURE,)))
    run_until(app, idle)
    assert (fresh(message).state, message.error) == ("failed", "media_not_allowed")


def test_a_provider_that_refuses_everything_ends_it_in_few_tries(app, channel, chat):
    channel.judge = lambda op: "NOTHING_IS_EVER_RIGHT"
    message = say(chat, Content(LINKED, "html", ((OPEN, ACK),), (PICTURE,)))
    run_until(app, idle)
    assert (fresh(message).state, message.error) == ("failed", "refused")
    assert len(channel.refused) == 6
    assert db.session.scalars(select(Delivery)).all() == []


def test_a_defect_of_the_ladder_fails_the_message_and_not_the_loop(app, channel, chat, monkeypatch):
    def broken(op, refusal):
        raise ZeroDivisionError

    monkeypatch.setattr(channel, "milder", broken)
    channel.judge = no_media
    message = say(chat, Content("x", media=(PICTURE,)))
    run_until(app, idle)
    assert (fresh(message).state, message.error) == ("failed", "media_not_allowed")


def test_no_address_of_a_message_reaches_the_log(app, channel, chat, capsys):
    words = "inline keyboard button URL 'https://a.example.com/' is invalid: Wrong HTTP URL"
    channel.judge = lambda op: words if op.content.buttons and op.content.buttons[0][0].url else None
    say(chat, Content("x", "plain", ((OPEN,),)))
    run_until(app, idle)
    assert "a.example.com" not in "".join(capsys.readouterr())
    assert "a.example.com" not in json.dumps(attempts())
