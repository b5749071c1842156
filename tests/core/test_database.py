"""Workspaces are kept apart below the services: whatever a service forgets, the session does not."""

from __future__ import annotations

from datetime import datetime

import pytest
from sqlalchemy import delete, insert, select, text, update
from sqlalchemy.exc import IntegrityError, StatementError

from backend.core import clock
from backend.core.database import TenancyError, db, system_scope, workspace_scope
from backend.models import Identity, NotificationType, User
from tests.support import factories


@pytest.fixture
def two(app):
    """Two people of two workspaces."""
    return factories.user(), factories.user()


def test_a_query_sees_only_the_workspace_in_scope(two):
    mine, theirs = two
    with workspace_scope(mine.workspace_id):
        assert [one.id for one in db.session.execute(select(User)).scalars()] == [mine.id]
        assert db.session.execute(select(User).where(User.id == theirs.id)).scalar() is None
        assert db.session.execute(select(User.email)).scalars().all() == [mine.email]


def test_get_does_not_hand_out_a_loaded_object_of_another_workspace(two):
    mine, theirs = two
    with workspace_scope(mine.workspace_id):
        assert db.session.get(User, theirs.id) is None
        assert db.session.get(User, mine.id) is mine


def test_bulk_changes_stay_in_the_workspace(two):
    mine, theirs = two
    with workspace_scope(mine.workspace_id):
        db.session.execute(update(User).values(name="changed"))
        db.session.execute(delete(User).where(User.id == theirs.id))
    with system_scope("test"):
        names = dict(db.session.execute(select(User.id, User.name)).all())
    assert names == {mine.id: "changed", theirs.id: theirs.name}


def test_no_scope_refuses_every_statement_on_a_tenant_table(two):
    for statement in (select(User), update(User).values(name="x"), text("SELECT 1"), select(User.__table__.c.id)):
        with pytest.raises(TenancyError):
            db.session.execute(statement)


def test_a_scope_refuses_statements_it_cannot_keep_to_its_workspace(two):
    mine, _ = two
    with workspace_scope(mine.workspace_id):
        for statement in (text("SELECT * FROM users"), select(User.__table__.c.id)):
            with pytest.raises(TenancyError):
                db.session.execute(statement)


def test_an_object_of_another_workspace_is_not_stored(two):
    mine, theirs = two
    now = clock.now()
    foreign = NotificationType(
        workspace_id=theirs.workspace_id, name="x", title="X", templates={}, created_at=now, updated_at=now
    )
    with workspace_scope(mine.workspace_id):
        db.session.add(foreign)
        with pytest.raises(TenancyError):
            db.session.flush()
        db.session.rollback()


def test_a_new_object_gets_the_workspace_in_scope(two):
    mine, _ = two
    now = clock.now()
    with workspace_scope(mine.workspace_id):
        made = NotificationType(name="x", title="X", templates={}, created_at=now, updated_at=now)
        db.session.add(made)
        db.session.flush()
    assert made.workspace_id == mine.workspace_id


def test_a_bulk_insert_must_name_the_workspace_in_scope(two):
    mine, theirs = two
    row = {"name": "x", "title": "X", "templates": {}, "created_at": clock.now(), "updated_at": clock.now()}
    with workspace_scope(mine.workspace_id):
        db.session.execute(insert(NotificationType), [row | {"workspace_id": mine.workspace_id}])
        for rows in ([row | {"workspace_id": theirs.workspace_id}], [row]):
            with pytest.raises(TenancyError):
                db.session.execute(insert(NotificationType), rows)


def test_a_row_cannot_point_into_another_workspace(two):
    mine, theirs = two
    now = clock.now()
    with workspace_scope(mine.workspace_id):
        identity = Identity(
            channel="telegram_bot", external_hash=b"x" * 32, user_id=theirs.id, created_at=now, updated_at=now
        )
        identity.external_id = "5"
        db.session.add(identity)
        with pytest.raises(IntegrityError):
            db.session.flush()
        db.session.rollback()


def test_a_time_without_a_zone_is_refused(two):
    mine, _ = two
    with workspace_scope(mine.workspace_id):
        mine.created_at = datetime(2026, 1, 1)  # noqa: DTZ001 - that is the point
        with pytest.raises(StatementError, match="without a zone"):
            db.session.flush()
        db.session.rollback()


def test_an_encrypted_column_opens_only_in_its_own_row(two):
    from backend.core.crypto import DecryptionFailed

    mine, _ = two
    with workspace_scope(mine.workspace_id):
        now = clock.now()
        rows = []
        for number in ("11", "22"):
            row = Identity(channel="telegram_bot", external_hash=number.encode() * 16, created_at=now, updated_at=now)
            row.external_id = number
            db.session.add(row)
            rows.append(row)
        db.session.flush()
        assert [row.external_id for row in rows] == ["11", "22"]
        assert b"11" not in rows[0].external_id_encrypted
        rows[1].external_id_encrypted = rows[0].external_id_encrypted
        with pytest.raises(DecryptionFailed):
            _ = rows[1].external_id
