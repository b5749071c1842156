"""Posts on Facebook and Instagram: called at most once."""

from __future__ import annotations

import io
from typing import Any

import pytest

from backend.channels.meta_pages import facebook
from backend.core import clock, config
from backend.core.database import db
from backend.core.errors import Conflict, Invalid
from backend.core.work import Turn
from backend.models import Sender, TelegramLink, Workspace
from backend.services import files, posts
from backend.services.posts import publishers, publishing
from backend.services.posts.publishers import token_scopes
from tests.channels.scripted_server import ScriptedServer, answer, drop, hang
from tests.services.posts.conftest import PUBLIC, Author
from tests.support import factories

PNG = bytes.fromhex("89504e470d0a1a0a0000000d49484452") + b"\0" * 32


def ok(**values: object) -> Any:
    return answer(200, values)


def test_a_post_on_facebook(author: Author, meta: ScriptedServer, link: TelegramLink) -> None:
    meta.script = [ok(id="11"), ok(id="11_22"), ok(permalink_url="https://example.com/22")]
    post = author.post("facebook")
    author.publish()
    found = author.fresh(post)
    assert (found.state, found.external_id, found.post_url) == ("published", "11_22", "https://example.com/22")
    assert [got.path.partition("?")[0] for got in meta.received] == ["/v26.0/me", "/v26.0/11/feed", "/v26.0/11_22"]
    assert [kind for kind, _, _ in author.told()] == ["post_success"]


def test_pictures_on_facebook_are_uploaded_once(author: Author, meta: ScriptedServer) -> None:
    file_id = files.upload(factories.by("user:1"), "b.png", io.BytesIO(PNG)).id
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
        posts.retry(factories.by("user:1"), post.id)
    db.session.rollback()
    meta.script = [ok(id="11_22"), ok()]
    posts.resolve(factories.by("user:1"), post.id, "retry")
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
    posts.resolve(factories.by("user:1"), post.id, "retry")
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
    posts.resolve(factories.by("user:1"), post.id, outcome, post_url="https://example.com/p")
    db.session.commit()
    assert author.state(post)[0] == state
    assert len(author.messages("notification")) == 1, "the question became the answer"
    with pytest.raises(Conflict):
        posts.resolve(factories.by("user:1"), post.id, outcome)


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
    author.publish(1.0)
    assert author.state(fine)[0] == "publishing"
    assert author.state(stuck) == ("publishing", "sending")
    author.publish(0.2)
    assert author.state(stuck) == ("publishing", "sending"), "somebody is at it"
    meta.close = lambda: None  # type: ignore[method-assign]
    ScriptedServer.close(meta)
    assert publishing._POOL.wait(60)
    assert author.state(stuck)[0] == "unknown"


@pytest.mark.parametrize("fault", [OverflowError("a number"), RecursionError(), KeyError("id")])
def test_a_defect_while_publishing_is_asked_about_and_never_repeated(
    author: Author, meta: ScriptedServer, monkeypatch: pytest.MonkeyPatch, fault: Exception
) -> None:
    def broken(*_: Any) -> Any:
        raise fault

    monkeypatch.setattr(facebook, "publish", broken)
    post = author.post("facebook", target={"page_id": "11"})
    author.publish()
    assert author.state(post) == ("unknown", "internal_error")
    clock.move(86_400)
    author.publish()
    assert author.phases(post) == [(1, "begun", None), (1, "unknown", "internal_error")]


@pytest.mark.parametrize("body", [b"[" * 50_000, b'{"id": 1e400}', b'{"id": ' + b"9" * 5000 + b"}", b"\xff", b"NaN"])
def test_an_absurd_answer_to_a_publication_is_asked_about(author: Author, meta: ScriptedServer, body: bytes) -> None:
    meta.script = [answer(200, body)]
    post = author.post("facebook", target={"page_id": "11"})
    author.publish()
    assert author.state(post) == ("unknown", "unreadable_answer")


@pytest.mark.parametrize("asked", ["99999999999999", "1e400", "-1", "inf", "Fri, 31 Dec 9999 23:59:59 GMT"])
def test_an_absurd_wait_puts_a_post_off_by_a_day_at_most(author: Author, meta: ScriptedServer, asked: str) -> None:
    meta.script = [answer(403, {"error": {"code": 4, "message": "slow down"}}, {"Retry-After": asked})]
    post = author.post("facebook", target={"page_id": "11"})
    author.publish()
    found = author.fresh(post)
    assert (found.state, found.reason) == ("scheduled", "rate_limited")
    assert found.due_at is not None
    assert 0 < (found.due_at - clock.now()).total_seconds() <= 86_400


@pytest.mark.parametrize(
    ("scopes", "publisher"),
    [
        (["pages_messaging", "pages_manage_metadata"], None),
        (["pages_messaging", "pages_manage_posts"], "facebook"),
        ([], None),
    ],
)
def test_the_scopes_of_the_token_decide_whether_it_publishes(
    home: Workspace, meta: ScriptedServer, scopes: list[str], publisher: str | None
) -> None:
    db.session.commit()
    assert token_scopes.WORK.is_due()
    meta.script = [ok(data={"is_valid": True, "scopes": scopes})]
    assert token_scopes.ask(Turn(1)) == 1
    assert meta.received[0].path.startswith("/v26.0/debug_token?input_token=")
    assert not token_scopes.WORK.is_due()
    if publisher is None:
        with pytest.raises(Invalid, match="Nobody can publish"):
            publishers.choose(home.id, "facebook")
    else:
        assert publishers.choose(home.id, "facebook") == publisher
    clock.move(25 * 3600)
    assert token_scopes.WORK.is_due()


def test_while_the_scopes_are_not_known_a_token_for_messages_does_not_publish(
    home: Workspace, meta: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert publishers.choose(home.id, "facebook") == "facebook", "nothing says that it is for messages"
    changed = config.get().model_copy(update={"meta_app_secret": "a-secret-of-the-application"})
    monkeypatch.setattr(config, "_current", changed)
    with pytest.raises(Invalid):
        publishers.choose(home.id, "facebook")


def test_what_meta_does_not_tell_is_asked_again(home: Workspace, meta: ScriptedServer) -> None:
    meta.script = [ok(data={"is_valid": True, "scopes": ["pages_manage_posts"]}), drop]
    token_scopes.ask(Turn(1))
    clock.move(25 * 3600)
    assert token_scopes.ask(Turn(1)) == 1
    assert publishers.choose(home.id, "facebook") == "facebook", "what was known stays"
    assert not token_scopes.WORK.is_due()
    clock.move(301)
    assert token_scopes.WORK.is_due()
