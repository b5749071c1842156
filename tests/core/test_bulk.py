"""Many rows in one statement: every type of column arrives as the ORM would have stored it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from backend.core import bulk, clock
from backend.core.database import TenancyError, db, system_scope, workspace_scope
from backend.models import Conversation, Identity, Message, Workspace
from tests.support import factories

MOMENT = datetime(2026, 2, 3, 4, 5, 6, 789, UTC)


@pytest.fixture
def home(app: Flask) -> Workspace:
    return factories.workspace()


def identity_row(home: Workspace, number: int, **values: object) -> dict[str, object]:
    return {
        "id": number,
        "workspace_id": home.id,
        "channel": "telegram",
        "external_id_encrypted": bytes(range(256)),
        "external_hash": b"\x00\xff" + number.to_bytes(4, "big"),
        "display_name": 'Sam "the" O\'Neil \\ 이름 🙂',
        "username": None,
        "created_at": MOMENT,
        "updated_at": clock.now(),
    } | values


def test_bytes_texts_moments_and_nothing_arrive_unchanged(home: Workspace) -> None:
    with system_scope("a test"):
        ids = bulk.reserve_ids(Identity, 3)
        assert ids == sorted(set(ids))
        bulk.insert_many(Identity, [identity_row(home, number) for number in ids])
        stored = db.session.execute(select(Identity).order_by(Identity.id)).scalars().all()
    assert [row.id for row in stored] == ids
    assert stored[0].external_id_encrypted == bytes(range(256))
    assert stored[1].display_name == 'Sam "the" O\'Neil \\ 이름 🙂'
    assert stored[2].username is None
    assert stored[2].created_at == MOMENT


def test_json_keeps_its_shape(home: Workspace) -> None:
    conversation = factories.conversation(home, factories.bot(home))
    body = {"parts": [{"text": "line\nline \\u0041 %s :name", "format": "plain"}], "forwarded": True}
    row = {
        "workspace_id": home.id,
        "conversation_id": conversation.id,
        "sender_id": conversation.sender_id,
        "direction": "in",
        "kind": "text",
        "lane": 0,
        "state": "received",
        "body": body,
        "created_at": MOMENT,
    }
    with system_scope("a test"):
        bulk.insert_many(Message, [row])
        stored = db.session.execute(select(Message)).scalar_one()
    assert stored.body == body
    assert (stored.version, stored.at_most_once) == (1, False)


def test_what_exists_is_passed_over_only_where_that_is_asked_for(home: Workspace) -> None:
    with system_scope("a test"):
        (number,) = bulk.reserve_ids(Identity, 1)
        bulk.insert_many(Identity, [identity_row(home, number, display_name="first")])
        bulk.insert_many(Identity, [identity_row(home, number, display_name="second")], or_nothing=True)
        assert db.session.execute(select(Identity.display_name)).scalars().all() == ["first"]
        with pytest.raises(IntegrityError):
            bulk.insert_many(Identity, [identity_row(home, number, display_name="third")])
        db.session.rollback()


def test_an_update_leaves_what_is_none(home: Workspace) -> None:
    sender = factories.bot(home)
    first, second = (factories.conversation(home, sender, chat, title=f"chat {chat}") for chat in ("1", "2"))
    with system_scope("a test"):
        rows: list[dict[str, Any]] = [
            {"id": first.id, "title": "another", "recent_answers": None, "last_message_at": MOMENT},
            {"id": second.id, "title": None, "recent_answers": {"answers": []}, "last_message_at": None},
        ]
        bulk.update_many(Conversation, rows)
        query = select(Conversation.title, Conversation.recent_answers, Conversation.last_message_at)
        stored = db.session.execute(query.order_by(Conversation.id)).all()
    assert [tuple(row) for row in stored] == [("another", None, MOMENT), ("chat 2", {"answers": []}, None)]


def test_nothing_is_done_for_no_rows(app: Flask) -> None:
    bulk.insert_many(Identity, [])
    bulk.update_many(Conversation, [])
    assert bulk.reserve_ids(Message, 0) == []


def test_it_needs_the_system_scope(home: Workspace) -> None:
    with workspace_scope(home.id), pytest.raises(TenancyError):
        bulk.insert_many(Identity, [identity_row(home, 1)])


def test_a_moment_without_a_zone_is_refused(home: Workspace) -> None:
    naive = datetime(2026, 2, 3)  # noqa: DTZ001
    with system_scope("a test"), pytest.raises(ValueError, match="zone"):
        bulk.insert_many(Identity, [identity_row(home, 1, created_at=naive)])
