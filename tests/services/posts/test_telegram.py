"""Posts on Telegram: said once, ended by their message, edited with new counts."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from backend.channels.base import Operation, Receipt
from backend.channels.errors import OutcomeUnknown, Rejected
from backend.core import clock, config
from backend.core.database import db, system_scope
from backend.models import NotificationEvent, Post, Sender, StoredFile, TelegramLink, Workspace
from backend.services import posts
from tests.channels.scripted_server import answer, scripted_server
from tests.services.posts.conftest import Author
from tests.support import engine, factories
from tests.support.fake_channel import FakeChannel
from tests.support.file_site import fetch_files

PNG = bytes.fromhex("89504e470d0a1a0a0000000d49484452") + b"\0" * 32


def ok(**values: object) -> Any:
    return answer(200, values)


def test_a_post_on_telegram_is_said_once_and_told(
    author: Author, news: Sender, link: TelegramLink, channel: FakeChannel
) -> None:
    post = author.post(content="Hello <b>")
    author.publish()
    assert author.state(post) == ("publishing", "queued")
    author.said()
    found = author.fresh(post)
    assert (found.state, found.post_url) == ("published", "https://t.me/c/1234567890/1001")
    assert [op.content.text for op in channel.accepted if op.content] == ["Hello <b>"]
    [(kind, data, decision)] = author.told()
    assert (kind, decision) == ("post_success", "queued")
    assert data == {
        "post_id": post.id,
        "platform": "telegram",
        "content": "Hello <b>",
        "post_url": "https://t.me/c/1234567890/1001",
    }
    assert author.phases(post) == [(1, "begun", None), (1, "published", None)]
    author.said()
    assert len(author.told()) == 1


@pytest.mark.parametrize(
    ("error", "state", "told"),
    [
        (Rejected("text_empty"), "failed", "post_failure"),
        (OutcomeUnknown("read_timeout"), "unknown", "post_failure"),
    ],
)
def test_a_post_that_telegram_did_not_take_is_shown(
    author: Author, news: Sender, link: TelegramLink, channel: FakeChannel, error: Exception, state: str, told: str
) -> None:
    def script(op: Operation) -> Any:
        return error if op.chat_id == "-1001234567890" else None

    channel.script = script
    post = author.post()
    author.publish()
    author.said()
    assert author.state(post)[0] == state
    [(kind, data, _)] = author.told()
    assert kind == told
    assert ("Nobody knows" in data["error"]) == (state == "unknown")
    buttons = author.messages("notification")[0].body["parts"][-1]["buttons"]
    offered = [button.get("data", "") for row in buttons for button in row]
    assert any("retry" in data for data in offered) == (state == "failed")


def test_a_picture_at_an_address_is_fetched_first(
    author: Author, news: Sender, channel: FakeChannel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(config, "_current", config.get().model_copy(update={"egress_allow_private": True}))
    with scripted_server() as files:
        files.script = [answer(500, b"", keep=False), answer(200, PNG, keep=False)]
        post = author.post(media=[{"kind": "photo", "url": f"{files.url}/a.png"}])
        author.publish()
        assert author.state(post) == ("scheduled", "preparing")
        fetch_files()
        assert author.state(post) == ("scheduled", "http_500")
        assert author.fresh(post).attempts == 0
        clock.move(31)
        author.publish()
        fetch_files()
        author.publish()
        assert author.state(post) == ("publishing", "queued")
    db.session.rollback()
    assert len(author.messages()) == 1
    stored = db.session.scalars(select(StoredFile)).one()
    assert author.messages()[0].body["parts"][0]["media"][0]["storage_key"] == stored.key


def test_a_picture_that_is_none_fails_the_post(
    author: Author, news: Sender, link: TelegramLink, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(config, "_current", config.get().model_copy(update={"egress_allow_private": True}))
    with scripted_server() as files:
        files.script = [answer(200, b"<html>", keep=False)]
        post = author.post(media=[{"kind": "photo", "url": f"{files.url}/a.png"}])
        author.publish()
        fetch_files()
    assert author.state(post) == ("failed", "not_a_picture")
    assert author.phases(post) == [(0, "failed", "not_a_picture")], "nothing was begun"
    assert author.told()[0][1]["error"] == "The address does not lead to a picture."


def test_a_bot_that_went_away_fails_the_post(author: Author, news: Sender, link: TelegramLink) -> None:
    post = author.post(scheduled_at=clock.now() + timedelta(hours=1))
    with system_scope("test"):
        news.is_active = False
        db.session.commit()
    clock.move(3700)
    author.publish()
    assert author.state(post) == ("failed", "bot_inactive")
    assert author.fresh(post).attempts == 0


def test_new_likes_edit_the_notification_that_was_sent(
    author: Author, news: Sender, link: TelegramLink, channel: FakeChannel
) -> None:
    post = author.post()
    author.publish()
    author.said()
    author.said()
    posts.change(factories.by("token:1"), post.id, {"likes": 1234, "comments": 56})
    db.session.commit()
    posts.change(factories.by("token:1"), post.id, {"likes": 1234})
    author.said()
    edits = [op for op in channel.accepted if op.kind == "edit"]
    assert len(edits) == 1
    assert edits[0].content is not None
    assert "1,234" in edits[0].content.text
    versions = db.session.scalars(select(NotificationEvent.version).order_by(NotificationEvent.id)).all()
    assert versions == [1, 2]


def test_likes_of_what_was_never_told_say_nothing(author: Author, news: Sender) -> None:
    post = author.post()
    author.publish()
    author.said()
    before = len(author.told())
    posts.change(factories.by("token:1"), post.id, {"likes": 5})
    db.session.commit()
    assert len(author.told()) == before
    assert db.session.scalars(select(Post.likes)).one() == 5


def test_a_receipt_without_an_address_is_fine(
    author: Author, home: Workspace, channel: FakeChannel, link: TelegramLink
) -> None:
    factories.bot(home, name="private", chat_ids=("5009",))
    channel.script = lambda op: Receipt(("42",))
    post = author.post(target={"bot_name": "private"})
    author.publish()
    engine.run_until(author.app, engine.idle)
    author.publish()
    assert (author.fresh(post).external_id, author.fresh(post).post_url) == ("42", None)
