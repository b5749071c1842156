"""Crashes, defects and races: nothing twice, nothing stuck."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from sqlalchemy import text

from backend.core import clock, config
from backend.core.database import db, system_scope
from backend.core.locking import advisory_lock
from backend.core.work import Turn
from backend.models import Post, Sender, TelegramLink
from backend.services import posts
from backend.services.posts import publishing, settlement
from tests.channels.scripted_server import ScriptedServer, answer
from tests.services.posts.conftest import Author
from tests.support import engine

PNG = bytes.fromhex("89504e470d0a1a0a0000000d49484452") + b"\0" * 32


def ok(**values: object) -> Any:
    return answer(200, values)


def test_a_process_that_dies_after_it_began_leaves_a_question(
    author: Author, meta: ScriptedServer, link: TelegramLink
) -> None:
    post = author.post("facebook", target={"page_id": "11"})
    post.state, post.reason, post.due_at, post.attempts = "publishing", "sending", None, 1
    db.session.commit()
    with advisory_lock(db.engine, settlement.lock_of(post.id)):
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
            posts.publish_due(Turn(60.0))

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


def test_a_post_that_meets_a_defect_does_not_hold_up_the_others(
    author: Author, news: Sender, host: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    from backend.services.posts.publishers import webhook

    bad, good = author.post("x"), author.post()

    def break_down(self: Any, post: Post) -> None:
        raise RuntimeError("a defect")

    with monkeypatch.context() as broken:
        broken.setattr(type(webhook.PUBLISHER), "hand_over", break_down)
        author.publish()
    assert author.state(good)[0] == "publishing"
    assert author.state(bad) == ("scheduled", "internal_error")
    assert author.fresh(bad).attempts == 0
    clock.move(61)
    author.publish()
    assert author.state(bad)[0] == "publishing"


def test_an_end_that_meets_a_defect_is_tried_again(
    author: Author, news: Sender, link: TelegramLink, monkeypatch: pytest.MonkeyPatch
) -> None:
    post = author.post()
    author.publish()
    engine.run_until(author.app, engine.idle)

    def break_down(*_: Any, **__: Any) -> None:
        raise RuntimeError("a defect")

    with monkeypatch.context() as broken:
        broken.setattr("backend.services.notifications.report", break_down)
        author.publish()
    assert author.state(post)[0] == "publishing"
    author.publish()
    assert author.state(post)[0] == "published"
