"""Publishing: at most once, each way, with an end that is told."""

from __future__ import annotations

import io
import threading
import time
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, text

from backend.channels.base import Operation, Receipt
from backend.channels.errors import OutcomeUnknown, Rejected
from backend.core import clock, config
from backend.core.database import db, system_scope
from backend.core.errors import Conflict
from backend.core.locking import only_one
from backend.models import NotificationEvent, Post, Sender, StoredFile, TelegramLink, Workspace
from backend.services import attachments, outgoing_webhooks, posts
from backend.services.posts import publishing, settling
from tests.channels.scripted_server import ScriptedServer, answer, drop, hang, scripted_server
from tests.services.posts.conftest import PUBLIC, Author
from tests.support import engine, factories
from tests.support.fake_channel import FakeChannel

PNG = bytes.fromhex("89504e470d0a1a0a0000000d49484452") + b"\0" * 32


def ok(**values: object) -> Any:
    return answer(200, values)


# --- Telegram ---


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
        assert author.state(post) == ("scheduled", "http_500")
        assert author.fresh(post).attempts == 0
        clock.move(31)
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


# --- the host application ---


def test_the_host_application_is_asked_and_answers(author: Author, host: int, link: TelegramLink) -> None:
    post = author.post("x", "Hello", target={"page_id": "9"})
    author.publish()
    author.publish()
    assert author.state(post) == ("publishing", "waiting_for_host")
    [request] = author.asked()
    body = __import__("json").loads(request.body)
    assert body["type"] == "post.publish_requested"
    assert {name: body["data"][name] for name in ("post_id", "attempt", "platform", "content", "user_id")} == {
        "post_id": post.id,
        "attempt": 1,
        "platform": "x",
        "content": "Hello",
        "user_id": author.person.id,
    }
    assert body["data"]["result_url"] == f"http://127.0.0.1:8000/api/posts/{post.id}/result"
    posts.report_result("token:1", post.id, "published", attempt=1, post_url="https://example.com/p/1")
    posts.report_result("token:1", post.id, "published", attempt=1, post_url="https://example.com/p/2")
    db.session.commit()
    found = author.fresh(post)
    assert (found.state, found.post_url) == ("published", "https://example.com/p/1")
    assert [kind for kind, _, _ in author.told()] == ["post_success"]
    with pytest.raises(Conflict):
        posts.report_result("token:1", post.id, "failed", attempt=1)


def test_a_failure_of_the_host_is_told_in_its_words(author: Author, host: int, link: TelegramLink) -> None:
    post = author.post("x")
    author.publish()
    posts.report_result("token:1", post.id, "failed", error="The account is locked.")
    db.session.commit()
    assert author.state(post) == ("failed", "host_reported")
    assert author.told()[0][1]["error"].endswith("The account is locked.")
    posts.retry("user:1", post.id)
    author.publish()
    assert [row.event_id for row in author.asked()] != [author.asked()[0].event_id] * 2
    with pytest.raises(Conflict) as stale:
        posts.report_result("token:1", post.id, "published", attempt=1)
    assert stale.value.code == "stale_attempt"
    db.session.rollback()
    posts.report_result("token:1", post.id, "published", attempt=2)
    db.session.commit()
    assert [kind for kind, _, _ in author.told()] == ["post_failure", "post_success"]
    assert len(author.messages("notification")) == 1, "the failure became the success"


def test_a_host_that_never_answers_is_asked_about(author: Author, host: int, link: TelegramLink) -> None:
    post = author.post("x")
    author.publish()
    clock.move(24 * 3600 + 1)
    assert posts.waiting() == 1
    author.publish()
    assert author.state(post) == ("unknown", "no_result")
    assert len(author.asked()) == 1, "it is not asked again"
    posts.report_result("token:1", post.id, "published", attempt=1)
    db.session.commit()
    assert author.state(post)[0] == "published"


def test_a_host_that_could_not_be_reached_leaves_a_question(author: Author, host: int) -> None:
    post = author.post("x")
    author.publish()
    outgoing_webhooks.change("user:1", host, {"enabled": False})
    author.publish()
    assert author.state(post) == ("unknown", "host_not_reached")


def test_without_anybody_who_listens_any_more_it_fails(author: Author, host: int) -> None:
    post = author.post("x", scheduled_at=clock.now() + timedelta(hours=1))
    outgoing_webhooks.remove("user:1", host)
    db.session.commit()
    clock.move(3700)
    author.publish()
    assert author.state(post) == ("failed", "no_publisher")


# --- Facebook and Instagram ---


def test_a_post_on_facebook(author: Author, meta: ScriptedServer, link: TelegramLink) -> None:
    meta.script = [ok(id="11"), ok(id="11_22"), ok(permalink_url="https://example.com/22")]
    post = author.post("facebook")
    author.publish()
    found = author.fresh(post)
    assert (found.state, found.external_id, found.post_url) == ("published", "11_22", "https://example.com/22")
    assert [got.path.partition("?")[0] for got in meta.received] == ["/v26.0/me", "/v26.0/11/feed", "/v26.0/11_22"]
    assert [kind for kind, _, _ in author.told()] == ["post_success"]


def test_pictures_on_facebook_are_uploaded_once(author: Author, meta: ScriptedServer) -> None:
    file_id = attachments.upload("user:1", None, "b.png", io.BytesIO(PNG)).id
    media = [{"kind": "photo", "url": PUBLIC}, {"kind": "photo", "file_id": file_id}]
    meta.script = [ok(id="31"), ok(id="32"), answer(403, {"error": {"code": 4, "message": "slow down"}})]
    post = author.post("facebook", "Hello", media, target={"page_id": "11"})
    author.publish()
    assert author.state(post) == ("scheduled", "rate_limited")
    assert author.phases(post) == [(1, "begun", None), (1, "again", "rate_limited")]
    clock.move(301)
    meta.script = [ok(id="11_22"), ok()]
    author.publish()
    assert author.state(post)[0] == "published"
    assert [got.path for got in meta.received].count("/v26.0/11/photos") == 2, "uploaded once each"
    assert meta.received[3].json["attached_media"] == [{"media_fbid": "31"}, {"media_fbid": "32"}]


def test_a_post_on_instagram_waits_for_its_container(author: Author, meta: ScriptedServer) -> None:
    meta.script = [ok(id="11", instagram_business_account={"id": "17"}), ok(id="55")]
    post = author.post("instagram", "Hello", [{"kind": "photo", "url": PUBLIC}])
    author.publish()
    assert author.state(post) == ("scheduled", "media_processing")
    meta.script = [ok(status_code="IN_PROGRESS")]
    clock.move(6)
    author.publish()
    assert author.state(post) == ("scheduled", "media_processing")
    assert author.phases(post) == []
    meta.script = [ok(status_code="FINISHED")] * 2 + [ok(id="77"), ok(permalink="https://example.com/77")]
    clock.move(6)
    author.publish()
    found = author.fresh(post)
    assert (found.state, found.external_id, found.post_url) == ("published", "77", "https://example.com/77")
    assert [got.path for got in meta.received].count("/v26.0/17/media") == 1


@pytest.mark.parametrize("step", [drop, answer(500, {"error": {"code": 1, "message": "x"}}), answer(200, b"?")])
def test_an_unknown_outcome_is_never_published_again_by_itself(
    author: Author, meta: ScriptedServer, link: TelegramLink, step: Any
) -> None:
    meta.script = [step]
    post = author.post("facebook", target={"page_id": "11"})
    author.publish()
    assert author.state(post)[0] == "unknown"
    clock.move(7 * 24 * 3600)
    for _ in range(3):
        author.publish()
    assert len(meta.received) == 1
    with pytest.raises(Conflict):
        posts.retry("user:1", post.id)
    db.session.rollback()
    meta.script = [ok(id="11_22"), ok()]
    posts.resolve("user:1", post.id, "retry")
    author.publish()
    assert author.state(post)[0] == "published"
    assert author.fresh(post).attempts == 2
    assert [kind for kind, _, _ in author.told()] == ["post_failure", "post_success"]


def test_an_unknown_outcome_on_instagram_is_asked_of_its_container(author: Author, meta: ScriptedServer) -> None:
    meta.script = [ok(id="55")]
    post = author.post("instagram", "Hello", [{"kind": "photo", "url": PUBLIC}], target={"ig_user_id": "17"})
    author.publish()
    clock.move(6)
    meta.script = [ok(status_code="FINISHED"), ok(status_code="FINISHED"), drop, ok(status_code="PUBLISHED")]
    author.publish()
    assert author.state(post)[0] == "published"


def test_a_retry_finds_what_an_earlier_try_had_published_after_all(author: Author, meta: ScriptedServer) -> None:
    meta.script = [ok(id="55")]
    post = author.post("instagram", "Hello", [{"kind": "photo", "url": PUBLIC}], target={"ig_user_id": "17"})
    author.publish()
    clock.move(6)
    meta.script = [ok(status_code="FINISHED"), ok(status_code="FINISHED"), drop, drop]
    author.publish()
    assert author.state(post)[0] == "unknown"
    meta.script = [ok(status_code="PUBLISHED"), ok(status_code="PUBLISHED")]
    posts.resolve("user:1", post.id, "retry")
    author.publish()
    assert author.state(post)[0] == "published"
    assert [got.path for got in meta.received].count("/v26.0/17/media_publish") == 1


@pytest.mark.parametrize(("outcome", "state"), [("published", "published"), ("failed", "failed")])
def test_a_person_answers_what_nobody_knew(
    author: Author, meta: ScriptedServer, link: TelegramLink, outcome: Any, state: str
) -> None:
    meta.script = [drop]
    post = author.post("facebook", target={"page_id": "11"})
    author.publish()
    posts.resolve("user:1", post.id, outcome, post_url="https://example.com/p")
    db.session.commit()
    assert author.state(post)[0] == state
    assert len(author.messages("notification")) == 1, "the question became the answer"
    with pytest.raises(Conflict):
        posts.resolve("user:1", post.id, outcome)


def test_a_token_that_is_refused_fails_the_post(author: Author, meta: ScriptedServer, link: TelegramLink) -> None:
    meta.script = [answer(400, {"error": {"code": 190, "message": "Expired"}})]
    post = author.post("facebook")
    author.publish()
    assert author.state(post) == ("failed", "token_refused")
    assert "Expired" in author.told()[0][1]["error"]


def test_a_platform_that_hangs_holds_neither_the_job_nor_other_posts(
    author: Author, meta: ScriptedServer, news: Sender
) -> None:
    meta.script = [hang]
    stuck = author.post("facebook", target={"page_id": "11"})
    fine = author.post()
    began = time.monotonic()
    author.publish(1.0)
    assert time.monotonic() - began < 5
    assert author.state(fine)[0] == "publishing"
    assert author.state(stuck) == ("publishing", "sending")
    author.publish(0.2)
    assert author.state(stuck) == ("publishing", "sending"), "somebody is at it"
    meta.close = lambda: None  # type: ignore[method-assign]
    ScriptedServer.close(meta)
    assert publishing._CREW.wait(10)
    assert author.state(stuck)[0] == "unknown"


# --- crashes and races ---


def test_a_process_that_dies_after_it_began_leaves_a_question(
    author: Author, meta: ScriptedServer, link: TelegramLink
) -> None:
    post = author.post("facebook", target={"page_id": "11"})
    post.state, post.reason, post.due_at, post.attempts = "publishing", "sending", None, 1
    db.session.commit()
    with only_one(db.engine, settling.lock_of(post.id)):
        author.publish(0.2)
        assert author.state(post) == ("publishing", "sending")
    author.publish(0.2)
    assert author.state(post) == ("unknown", "process_died")
    assert meta.received == []
    assert [kind for kind, _, _ in author.told()] == ["post_failure"]


def test_the_platforms_late_answer_is_better_than_none(author: Author, meta: ScriptedServer) -> None:
    post = author.post("facebook", target={"page_id": "11"})
    plan = publishing.Plan.of(post)
    post.state, post.attempts = "unknown", 1
    db.session.commit()
    publishing._record(plan, 1, publishing.Published("11_22"))
    assert author.state(post)[0] == "published"
    posts_again = author.fresh(post)
    posts_again.state, posts_again.attempts = "unknown", 2
    db.session.commit()
    publishing._record(plan, 1, publishing.Published("11_33"))
    assert author.state(post)[0] == "unknown", "it speaks of an earlier try"


def test_many_processes_publish_each_post_once(author: Author, news: Sender, host: int, app: Any) -> None:
    made = [author.post() for _ in range(6)] + [author.post("x") for _ in range(6)]

    def job() -> None:
        with app.app_context():
            posts.publish_due(5.0)

    threads = [threading.Thread(target=job) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {author.state(post)[0] for post in made} == {"publishing"}
    assert {author.fresh(post).attempts for post in made} == {1}
    assert len(author.messages()) == 6
    assert len(author.asked()) == 6


def test_a_change_while_it_is_prepared_is_what_is_published(
    author: Author, meta: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    post = author.post("facebook", target={"page_id": "11"})
    from backend.services.posts.publishers import facebook

    prepare = type(facebook.PUBLISHER).prepare

    def meanwhile(self: Any, plan: Any) -> Any:
        made = prepare(self, plan)
        with system_scope("somebody else"):
            db.session.execute(
                text("UPDATE posts SET content = 'Better', updated_at = updated_at + interval '1 second'")
            )
            db.session.commit()
        monkeypatch.undo()
        return made

    kept = config.get()
    monkeypatch.setattr(type(facebook.PUBLISHER), "prepare", meanwhile)
    author.publish()
    monkeypatch.setattr(config, "_current", kept)
    assert author.state(post)[0] == "scheduled"
    clock.move(200)
    meta.script = [ok(id="11_22"), ok()]
    author.publish()
    assert meta.received[0].json == {"message": "Better"}


# --- engagement ---


def test_new_likes_edit_the_notification_that_was_sent(
    author: Author, news: Sender, link: TelegramLink, channel: FakeChannel
) -> None:
    post = author.post()
    author.publish()
    author.said()
    author.said()
    posts.change("token:1", post.id, {"likes": 1234, "comments": 56})
    db.session.commit()
    posts.change("token:1", post.id, {"likes": 1234})
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
    posts.change("token:1", post.id, {"likes": 5})
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
