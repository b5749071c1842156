"""Objects and workspaces: what waits to be stored when the scope changes, and what relationships load."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import (
    DeclarativeBase,
    foreign,
    joinedload,
    lazyload,
    relationship,
    selectinload,
    subqueryload,
)

from backend.core.database import TenancyError, Tenant, db, next_id, system_scope, workspace_scope
from backend.models import Conversation, Suppression, User, Workspace
from tests.core.tenancy_cases import PLAIN, Pair, suppression

# --- what waits to be stored ------------------------------------------------------------------------------


def waiting(workspace_id: int | None) -> Suppression:
    made = Suppression(**suppression())
    if workspace_id is not None:
        made.workspace_id = workspace_id
    db.session.add(made)
    return made


def test_the_system_scope_does_not_store_what_the_scope_around_would_refuse(pair: Pair) -> None:
    with workspace_scope(pair.mine):
        waiting(pair.theirs)
        with pytest.raises(TenancyError), system_scope("test"):
            pytest.fail("was entered")
        db.session.rollback()


def test_what_a_workspaces_scope_leaves_to_the_system_scope_is_its_own(pair: Pair) -> None:
    with system_scope("test"):
        with pytest.raises(TenancyError), workspace_scope(pair.mine):
            waiting(pair.theirs)
        db.session.rollback()


def test_a_changed_and_a_deleted_object_are_looked_at_as_well(pair: Pair) -> None:
    with system_scope("test"):
        them = db.session.get_one(User, pair.them)
        with pytest.raises(TenancyError), workspace_scope(pair.mine):
            them.name = "x"
        db.session.rollback()
        with pytest.raises(TenancyError), workspace_scope(pair.mine):
            db.session.delete(them)
        db.session.rollback()


def test_an_object_gets_its_workspace_before_another_scope_stores_it(pair: Pair) -> None:
    with workspace_scope(pair.mine):
        made = waiting(None)
        with system_scope("test"):
            db.session.flush()
        another = waiting(None)
        another.external_hash = b"y" * 32
        with workspace_scope(pair.theirs):
            assert another.workspace_id == pair.mine
        assert made.workspace_id == pair.mine
        db.session.rollback()


def test_what_the_system_scope_left_waiting_is_not_the_workspaces_matter(pair: Pair) -> None:
    with system_scope("test"):
        made = waiting(pair.theirs)
        with workspace_scope(pair.mine), system_scope("test"):
            pass
        db.session.flush()
        assert made.id is not None
        db.session.rollback()


def test_an_error_on_its_way_is_not_replaced(pair: Pair) -> None:
    with system_scope("test"):
        with pytest.raises(LookupError), workspace_scope(pair.mine):
            raise LookupError(waiting(pair.theirs))
        db.session.rollback()


def test_scopes_need_no_app_context_and_no_session() -> None:
    with workspace_scope(1), system_scope("test"), workspace_scope(2):
        pass


def test_entering_a_scope_makes_no_session_and_stores_nothing(pair: Pair) -> None:
    db.session.remove()
    with workspace_scope(pair.mine), system_scope("test"):
        assert not db.session.registry.has()
    with workspace_scope(pair.mine):
        made = waiting(None)
        with system_scope("test"):
            assert made in db.session.new
        db.session.rollback()


def test_taking_an_id_stores_nothing(pair: Pair) -> None:
    with workspace_scope(pair.mine):
        made = waiting(pair.theirs)
        assert next_id("suppressions") > 0
        assert made in db.session.new
        db.session.rollback()


def test_a_row_does_not_change_its_workspace(pair: Pair) -> None:
    with system_scope("test"):
        them, me = db.session.get_one(User, pair.them), db.session.get_one(User, pair.me)
    for person, workspace_id in ((them, pair.mine), (me, pair.theirs)):
        with workspace_scope(pair.mine):
            person.workspace_id = workspace_id
            with pytest.raises(TenancyError):
                db.session.flush()
            db.session.rollback()


@pytest.mark.parametrize("scoped", [True, False])
def test_a_value_is_not_read_from_a_table_while_it_is_stored(pair: Pair, scoped: bool) -> None:
    stolen = select(PLAIN.c.email).where(PLAIN.c.id == pair.them).scalar_subquery()
    workspace = db.session.get_one(Workspace, pair.mine)
    workspace.name = stolen
    if scoped:
        with workspace_scope(pair.mine), pytest.raises(TenancyError):
            db.session.flush()
    else:
        with pytest.raises(TenancyError):
            db.session.flush()
    db.session.rollback()


def test_a_value_may_be_an_expression(pair: Pair) -> None:
    with workspace_scope(pair.mine):
        me = db.session.get_one(User, pair.me)
        me.name = func.upper(User.name)
        db.session.flush()
        assert me.name.startswith("PERSON")
        db.session.rollback()


# --- relationships ----------------------------------------------------------------------------------------


class _Side(DeclarativeBase):
    """Maps tables a second time, with relationships: the models themselves have none."""


class _Chat(Tenant, _Side):
    __table__ = Conversation.__table__


_OWNER_ID: Any = Workspace.__table__.c.id


class _Owner(_Side):
    __table__ = Workspace.__table__
    chats = relationship(_Chat, primaryjoin=lambda: foreign(_Chat.__table__.c.workspace_id) == _OWNER_ID, viewonly=True)


def _owners(*options: Any) -> Any:
    return select(_Owner).options(*options).order_by(_OWNER_ID).execution_options(populate_existing=True)


def test_a_relationship_is_not_loaded_without_a_scope(pair: Pair) -> None:
    owner = db.session.execute(_owners()).scalars().all()[0]
    with pytest.raises(TenancyError):
        _ = owner.chats


@pytest.mark.parametrize("load", [lazyload, selectinload, subqueryload, joinedload])
def test_relationships_load_the_workspace_in_scope_only(pair: Pair, load: Callable[[Any], Any]) -> None:
    with workspace_scope(pair.mine):
        owners = db.session.execute(_owners(load(_Owner.chats))).unique().scalars().all()
        assert [[chat.id for chat in owner.chats] for owner in owners] == [[pair.my_chat], []]


def test_what_was_loaded_in_one_scope_loads_more_in_the_scope_of_its_time(pair: Pair) -> None:
    with workspace_scope(pair.mine):
        owners = db.session.execute(_owners()).scalars().all()
    with workspace_scope(pair.theirs):
        assert [[chat.id for chat in owner.chats] for owner in owners] == [[], [pair.their_chat]]


def test_a_join_along_a_relationship_keeps_to_the_workspace(pair: Pair) -> None:
    with workspace_scope(pair.mine):
        assert db.session.execute(select(_OWNER_ID).join(_Owner.chats)).scalars().all() == [pair.mine]
