"""What a workspace's scope refuses, what it restricts, and what keeps working inside of it."""

from __future__ import annotations

import pytest
from sqlalchemy import func, select, union_all, update
from sqlalchemy.dialects.postgresql import insert

from backend.core import clock
from backend.core.database import TenancyError, db, system_scope, workspace_scope
from backend.models import AuditEntry, Suppression, User, Workspace
from tests.core.tenancy_cases import FOREIGN, PEOPLE, PLAIN, REFUSED_CALLS, REFUSED_STATEMENTS, Build, Pair, suppression

# Tables side by side without a condition are what some cases are about.
pytestmark = pytest.mark.filterwarnings("ignore:.*cartesian product:sqlalchemy.exc.SAWarning")


@pytest.mark.parametrize("case", REFUSED_STATEMENTS)
def test_a_scope_refuses_what_it_cannot_keep_to_its_workspace(ids: Pair, case: str) -> None:
    with workspace_scope(ids.mine), pytest.raises(TenancyError):
        db.session.execute(REFUSED_STATEMENTS[case](ids))


@pytest.mark.parametrize("case", REFUSED_CALLS)
def test_a_scope_refuses_ways_around_it(ids: Pair, case: str) -> None:
    with workspace_scope(ids.mine), pytest.raises(TenancyError):
        REFUSED_CALLS[case](ids)


def test_whatever_the_statement_only_the_workspace_in_scope_answers(pair: Pair) -> None:
    answers = {}
    for case, build in PEOPLE.items():
        with workspace_scope(pair.mine):
            found = db.session.execute(build(pair)).scalars().all()
            answers[case] = [one.id if isinstance(one, User) else one for one in found]
            db.session.rollback()
    assert answers == {case: [pair.me] for case in PEOPLE}


def test_another_workspaces_rows_decide_nothing(pair: Pair) -> None:
    with system_scope("test"):
        db.session.add(AuditEntry(actor="cli", action="x", workspace_id=pair.mine, at=clock.now()))
        db.session.commit()
    answers = {}
    for case, build in FOREIGN.items():
        with workspace_scope(pair.mine):
            answers[case] = db.session.execute(build(pair)).all()
            db.session.rollback()
    assert answers == {case: [] for case in FOREIGN}


@pytest.mark.parametrize(
    "build",
    [
        lambda p: insert(Suppression).values(suppression(p.mine)),
        lambda p: insert(Suppression).values([suppression(p.mine)]),
        lambda p: insert(Suppression).values(suppression(p.mine)).on_conflict_do_nothing(),
        lambda p: insert(Suppression).values(suppression(p.mine) | {"created_at": func.now()}),
        lambda p: (
            insert(Suppression)
            .values(suppression(p.mine))
            .on_conflict_do_update(
                index_elements=["workspace_id", "external_hash"], set_={"code": "y"}, where=Suppression.code == "x"
            )
            .returning(Suppression)
        ),
    ],
)
def test_an_insert_that_names_its_workspace_passes(pair: Pair, build: Build) -> None:
    with workspace_scope(pair.mine):
        db.session.execute(build(pair))
        assert db.session.execute(select(Suppression.workspace_id)).scalars().all() == [pair.mine]
        db.session.rollback()


@pytest.mark.parametrize("case", [case for case in REFUSED_STATEMENTS if case != "function"])
def test_without_a_scope_the_same_is_refused(ids: Pair, case: str) -> None:
    with pytest.raises(TenancyError):
        db.session.execute(REFUSED_STATEMENTS[case](ids))


@pytest.mark.parametrize("case", REFUSED_CALLS)
def test_without_a_scope_there_is_no_way_around(ids: Pair, case: str) -> None:
    with pytest.raises(TenancyError):
        REFUSED_CALLS[case](ids)


def test_without_a_scope_tables_without_workspaces_are_open(pair: Pair) -> None:
    assert db.session.execute(select(func.count()).select_from(Workspace)).scalar() == 2
    assert db.session.execute(update(Workspace).values(name="x").returning(Workspace.id)).all() != []
    with pytest.raises(TenancyError):
        db.session.execute(update(Workspace).values(name=User.name))
    db.session.rollback()


def test_the_system_scope_sees_everything(pair: Pair) -> None:
    with system_scope("test"):
        assert len(db.session.execute(union_all(select(User.id), select(PLAIN.c.id))).all()) == 4
        db.session.execute(update(User), [{"id": pair.them, "name": "x"}])
        db.session.connection()
        db.session.rollback()
