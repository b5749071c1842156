"""Posts of the host application: it is asked, and answers."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from backend.core import clock
from backend.core.database import db
from backend.core.errors import Conflict
from backend.models import TelegramLink
from backend.services import outgoing_webhooks, posts
from tests.channels.scripted_server import answer
from tests.services.posts.conftest import Author
from tests.support import factories

PNG = bytes.fromhex("89504e470d0a1a0a0000000d49484452") + b"\0" * 32


def ok(**values: object) -> Any:
    return answer(200, values)


def test_the_host_application_is_asked_and_answers(author: Author, host: int, link: TelegramLink) -> None:
    post = author.post("x", "Hello", target={"page_id": "9"})
    author.publish()
    author.publish()
    assert author.state(post) == ("publishing", "waiting_for_host")
    [request] = author.asked()
    body = json.loads(request.body)
    assert body["type"] == "post.publish_requested"
    assert {name: body["data"][name] for name in ("post_id", "attempt", "platform", "content", "user_id")} == {
        "post_id": post.id,
        "attempt": 1,
        "platform": "x",
        "content": "Hello",
        "user_id": author.person.id,
    }
    assert body["data"]["result_url"] == f"http://127.0.0.1:8000/api/posts/{post.id}/result"
    posts.report_result(factories.by("token:1"), post.id, "published", attempt=1, post_url="https://example.com/p/1")
    posts.report_result(factories.by("token:1"), post.id, "published", attempt=1, post_url="https://example.com/p/2")
    db.session.commit()
    found = author.fresh(post)
    assert (found.state, found.post_url) == ("published", "https://example.com/p/1")
    assert [kind for kind, _, _ in author.told()] == ["post_success"]
    with pytest.raises(Conflict):
        posts.report_result(factories.by("token:1"), post.id, "failed", attempt=1)


def test_a_failure_of_the_host_is_told_in_its_words(author: Author, host: int, link: TelegramLink) -> None:
    post = author.post("x")
    author.publish()
    posts.report_result(factories.by("token:1"), post.id, "failed", error="The account is locked.")
    db.session.commit()
    assert author.state(post) == ("failed", "host_reported")
    assert author.told()[0][1]["error"].endswith("The account is locked.")
    posts.retry(factories.by("user:1"), post.id)
    author.publish()
    assert [row.event_id for row in author.asked()] != [author.asked()[0].event_id] * 2
    with pytest.raises(Conflict) as stale:
        posts.report_result(factories.by("token:1"), post.id, "published", attempt=1)
    assert stale.value.code == "stale_attempt"
    db.session.rollback()
    posts.report_result(factories.by("token:1"), post.id, "published", attempt=2)
    db.session.commit()
    assert [kind for kind, _, _ in author.told()] == ["post_failure", "post_success"]
    assert len(author.messages("notification")) == 1, "the failure became the success"


def test_a_host_that_never_answers_is_asked_about(author: Author, host: int, link: TelegramLink) -> None:
    post = author.post("x")
    author.publish()
    clock.move(24 * 3600 + 1)
    assert posts.WORK.is_due()
    author.publish()
    assert author.state(post) == ("unknown", "no_result")
    assert len(author.asked()) == 1, "it is not asked again"
    posts.report_result(factories.by("token:1"), post.id, "published", attempt=1)
    db.session.commit()
    assert author.state(post)[0] == "published"


def test_a_host_that_could_not_be_reached_leaves_a_question(author: Author, host: int) -> None:
    post = author.post("x")
    author.publish()
    outgoing_webhooks.change(factories.by("user:1"), host, {"enabled": False})
    author.publish()
    assert author.state(post) == ("unknown", "host_not_reached")


def test_without_anybody_who_listens_any_more_it_fails(author: Author, host: int) -> None:
    post = author.post("x", scheduled_at=clock.now() + timedelta(hours=1))
    outgoing_webhooks.remove(factories.by("user:1"), host)
    db.session.commit()
    clock.move(3700)
    author.publish()
    assert author.state(post) == ("failed", "no_publisher")
