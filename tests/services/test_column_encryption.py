"""Chats of posts, rules and kept answers stand encrypted; what an earlier release wrote counts and is moved."""

from __future__ import annotations

import json
from typing import Any

import psycopg
import pytest
from sqlalchemy import select, text

from backend.core import clock
from backend.core.database import db, system_scope, workspace_scope
from backend.core.work import Turn
from backend.models import AutomationRule, IdempotencyKey, Post, User
from backend.services import automation_rules, column_encryption, idempotency, key_rotation, posts
from backend.services.idempotency import Answer
from backend.services.posts import Place
from backend.services.scheduling import Timing, system_jobs
from tests.support import factories
from tests.support.databases import Databases

pytestmark = pytest.mark.usefixtures("app")
CHAT = "-1007000000003"


@pytest.fixture
def person() -> User:
    home = factories.workspace()
    factories.bot(home, name="news", chat_ids=(CHAT,))
    return factories.user(home)


def a_post(person: User) -> int:
    with workspace_scope(person.workspace_id):
        made = posts.create(
            factories.by("test"), person, Place("telegram", {"bot_name": "news", "chat_id": CHAT}), "Hello"
        )
        db.session.commit()
        return made.id


def a_rule(person: User) -> int:
    fields = {"platforms": ["telegram"], "targets": {"telegram": {"bot_name": "news", "chat_id": CHAT}}, "content": "x"}
    with workspace_scope(person.workspace_id):
        made = automation_rules.create(factories.by("test"), person, fields, Timing("interval", interval_seconds=3600))
        db.session.commit()
        return made.id


def a_key(person: User, key: str = "key") -> int:
    with workspace_scope(person.workspace_id):
        row = idempotency.begin(person.workspace_id, "user:1", "/x", key, b"hash")
        assert isinstance(row, int)
        idempotency.finish(row, Answer(200, {"chat_ids": [CHAT]}))
        db.session.commit()
        return row


def whole_database(databases: Databases) -> str:
    with psycopg.connect(databases.url) as connection:
        return "".join(
            str(connection.execute(f"SELECT * FROM {table}").fetchall())
            for table in ("posts", "automation_rules", "idempotency_keys")
        )


def run_job() -> None:
    with system_scope("test"):
        system_jobs.give_turn(column_encryption.JOB, Turn(60.0))


def test_no_chat_stands_in_the_clear(person: User, databases: Databases) -> None:
    post, rule, _ = a_post(person), a_rule(person), a_key(person)
    assert CHAT not in whole_database(databases)
    with workspace_scope(person.workspace_id):
        assert db.session.get_one(Post, post).target == {"bot_name": "news", "chat_id": CHAT}
        assert db.session.get_one(AutomationRule, rule).targets["telegram"]["chat_id"] == CHAT
        again = idempotency.begin(person.workspace_id, "user:1", "/x", "key", b"hash")
        assert again == Answer(200, {"chat_ids": [CHAT]})


def test_a_key_that_is_used_anew_after_a_day_forgets_its_answer(person: User) -> None:
    a_key(person)
    clock.move(25 * 3600)
    with workspace_scope(person.workspace_id):
        assert isinstance(idempotency.begin(person.workspace_id, "user:1", "/x", "key", b"other"), int)
        assert db.session.scalars(select(IdempotencyKey)).one().answer == {}


def as_before(table: str, column: str, value: Any, row: int) -> None:
    """What the release before would have written."""
    with system_scope("test"):
        db.session.execute(
            text(f"UPDATE {table} SET {column} = CAST(:value AS jsonb) WHERE id = :id"),
            {"value": json.dumps(value), "id": row},
        )
        db.session.commit()
        db.session.expire_all()


def test_what_the_release_before_wrote_counts_and_is_moved_once_it_is_gone(person: User, databases: Databases) -> None:
    post, rule, key = a_post(person), a_rule(person), a_key(person)
    as_before("posts", "target", {"bot_name": "news", "chat_id": "-1007000000009"}, post)
    as_before("automation_rules", "targets", {"telegram": {"chat_id": "-1007000000009"}}, rule)
    as_before("idempotency_keys", "answer", {"body": {"chat_ids": ["-1007000000009"]}}, key)

    def shown() -> list[Any]:
        with workspace_scope(person.workspace_id):
            db.session.expire_all()
            found = [
                db.session.get_one(Post, post).target["chat_id"],
                db.session.get_one(AutomationRule, rule).targets["telegram"]["chat_id"],
                idempotency.begin(person.workspace_id, "user:1", "/x", "key", b"hash"),
            ]
            db.session.rollback()
            return found

    assert shown() == ["-1007000000009"] * 2 + [Answer(200, {"chat_ids": ["-1007000000009"]})]
    run_job()
    assert "-1007000000009" in whole_database(databases), "the release before may still be running"
    clock.move(3601)
    run_job()
    assert "-1007000000009" not in whole_database(databases)
    assert shown() == ["-1007000000009"] * 2 + [Answer(200, {"chat_ids": ["-1007000000009"]})]
    run_job()


def test_many_are_moved_in_batches(person: User, databases: Databases, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(column_encryption, "_BATCH", 2)
    made = [a_post(person) for _ in range(5)]
    for post in made:
        as_before("posts", "target", {"chat_id": CHAT}, post)
    run_job()
    clock.move(3601)
    run_job()
    assert CHAT not in whole_database(databases)


def test_a_change_moves_it_as_well(person: User, databases: Databases) -> None:
    post = a_post(person)
    as_before("posts", "target", {"chat_id": "-1007000000009"}, post)
    with workspace_scope(person.workspace_id):
        db.session.get_one(Post, post).target = {"bot_name": "news", "chat_id": CHAT}
        db.session.commit()
    assert "-10070000000" not in whole_database(databases)


def test_the_new_columns_are_rotated_with_the_others() -> None:
    named = {f"{table.name}.{column.name}" for table, column in key_rotation.columns()}
    new = {"posts.target_encrypted", "automation_rules.targets_encrypted", "idempotency_keys.answer_encrypted"}
    assert new <= named
