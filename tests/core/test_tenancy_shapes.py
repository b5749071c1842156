"""Shapes of statements in a workspace's scope: those that are known pass or are restricted, every other is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import (
    Extract,
    Integer,
    cast,
    column,
    delete,
    exists,
    func,
    lateral,
    literal,
    select,
    text,
    update,
    values,
)
from sqlalchemy.dialects.postgresql import distinct_on, insert
from sqlalchemy.orm import aliased
from sqlalchemy.sql.expression import ClauseElement

from backend.core import tenancy
from backend.core.database import TenancyError, db, workspace_scope
from backend.models import Suppression, User, Workspace
from tests.core.tenancy_cases import PLAIN, Pair


class Unheard(ClauseElement):
    """A shape that no version of the examination knows."""

    __visit_name__ = "unheard"
    inherit_cache = False


def every_name() -> Any:
    return select(PLAIN.c.name)


REFUSED: dict[str, Callable[[Pair], Any]] = {
    "a CTE of a plain table": lambda p: select(User.id).join(every_name().cte("x"), literal(True)),
    "a CTE that changes": lambda p: select(User.id).add_cte(delete(User).returning(User.id).cte("gone")),
    "a recursive CTE": lambda p: select(select(PLAIN.c.id).cte("x", recursive=True).c.id, User.id),
    "a lateral plain table": lambda p: select(User.id).join(lateral(every_name()), literal(True)),
    "text in place of a statement": lambda p: text("SELECT name FROM users"),
    "text in a condition": lambda p: select(User).where(text("1 = 1 OR true")),
    "text in FROM": lambda p: select(User.id).select_from(text("users AS everybody")),
    "text with columns": lambda p: select(text("SELECT id FROM users").columns(column("id")).subquery()),
    "a plain subquery in FROM": lambda p: select(every_name().subquery()),
    "a union of entities": lambda p: select(User.name).union(select(Workspace.name)),
    "a union below": lambda p: select(User.id).where(User.name.in_(every_name().union(every_name()))),
    "a scalar subquery of a plain table": lambda p: select(User.id, select(func.max(PLAIN.c.name)).scalar_subquery()),
    "a correlated scalar subquery of a plain table": lambda p: select(
        Workspace.id, select(func.count()).where(PLAIN.c.workspace_id == Workspace.id).scalar_subquery()
    ),
    "an insert from a select": lambda p: insert(Workspace).from_select(["name"], select(User.name)),
    "an insert from a plain select": lambda p: insert(Suppression).from_select(["code"], every_name()),
    "an update from a plain subquery": lambda p: update(Workspace).values(
        name=select(PLAIN.c.name).where(PLAIN.c.workspace_id == Workspace.id).scalar_subquery()
    ),
    "an update from text": lambda p: update(User).values(name=text("(SELECT max(name) FROM users)")),
    "an update with a hint": lambda p: update(User).values(name="x").with_hint("FROM users"),
    "a statement's hint": lambda p: select(User.id).with_statement_hint("UNION ALL SELECT id FROM users"),
    "a table's hint": lambda p: select(User.id).with_hint(User, "TABLESAMPLE SYSTEM (100)"),
    "a prefix": lambda p: select(User.id).prefix_with("id, (SELECT max(name) FROM users),"),
    "a suffix": lambda p: select(User.id).suffix_with("UNION ALL SELECT id FROM users"),
    "a hint below": lambda p: select(User.id).where(exists(select(Workspace.id).with_statement_hint("-- x"))),
    "an operator of words": lambda p: select(User.id).where(
        User.name.op("UNION SELECT id FROM users WHERE name =")("x")
    ),
    "a function that runs SQL": lambda p: select(func.query_to_xml("SELECT * FROM users", True, True, "")),
    "a function that reads files": lambda p: select(User.id, func.pg_read_file("/etc/passwd")),
    "a field of an extract": lambda p: select(Extract("year FROM now()), (SELECT 1", User.created_at), User.id),
}

ALLOWED: dict[str, Callable[[Pair], Any]] = {
    "an arithmetic operator": lambda p: select(User.id).where(User.id.op("&")(1) >= 0),
    "a cast and a function": lambda p: select(User.id).where(cast(func.length(User.name), Integer) >= 0),
    "an entity in a CTE": lambda p: select(select(User.id).cte("x").c.id),
    "an entity in a lateral": lambda p: select(User.id).join(
        lateral(select(User.name).where(User.id > 0)), literal(True)
    ),
    "a list of values": lambda p: select(User.id).join(
        values(column("n", Integer), name="v").data([(1,)]), literal(True)
    ),
    "a sample of an entity's table": lambda p: select(aliased(User, PLAIN.tablesample(100)).id),
    "one of each": lambda p: select(User.id).ext(distinct_on(User.workspace_id)).order_by(User.workspace_id),
    "a window with a frame": lambda p: select(
        User.id, func.count().over(order_by=[User.name, User.id.desc()], rows=(None, 0))
    ),
    "rows to be locked": lambda p: select(User.id).with_for_update(skip_locked=True),
    "a correlated scalar subquery": lambda p: select(
        User.id, select(func.count(Suppression.id)).where(Suppression.code == User.name).scalar_subquery()
    ),
}

pytestmark = pytest.mark.filterwarnings("ignore:.*cartesian product:sqlalchemy.exc.SAWarning")


@pytest.mark.parametrize("case", REFUSED)
def test_a_shape_that_cannot_be_kept_to_a_workspace_is_refused(pair: Pair, case: str) -> None:
    for _ in range(2):  # once as it is seen first, once as it is remembered
        with workspace_scope(pair.mine), pytest.raises((TenancyError, TypeError)) as refused:
            db.session.execute(REFUSED[case](pair))
        assert refused.type is TenancyError
        db.session.rollback()


@pytest.mark.parametrize("case", ALLOWED)
def test_a_known_shape_answers_with_the_workspaces_rows_only(pair: Pair, case: str) -> None:
    for _ in range(2):
        with workspace_scope(pair.mine):
            assert {row[0] for row in db.session.execute(ALLOWED[case](pair))} == {pair.me}
            db.session.rollback()


def test_a_shape_that_nobody_knows_is_refused() -> None:
    walk = tenancy._Walk()
    walk.expression(Unheard(), frozenset(), set())
    assert walk.verdict.faults == ["a Unheard"]


@pytest.mark.parametrize("change", ["update", "delete"])
def test_a_change_beside_a_plain_table_sees_only_the_workspaces_rows_of_it(pair: Pair, change: str) -> None:
    theirs = PLAIN.c.id == pair.them
    statement: Any = delete(Workspace) if change == "delete" else update(Workspace).values(name=PLAIN.c.name)
    with workspace_scope(pair.mine):
        assert db.session.execute(statement.where(theirs).returning(Workspace.id)).all() == []
        db.session.rollback()


def test_a_shape_that_is_known_is_not_walked_again(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    walked: list[Any] = []
    real = tenancy._examine
    monkeypatch.setattr(tenancy, "_verdicts", {})

    def counted(statement: Any) -> tenancy.Verdict:
        walked.append(statement)
        return real(statement)

    monkeypatch.setattr(tenancy, "_examine", counted)
    with workspace_scope(pair.mine):
        for person in (pair.me, pair.them, pair.me):
            db.session.execute(select(User.id).where(User.id == person)).all()
        db.session.execute(select(User.name)).all()
        db.session.rollback()
    assert len(walked) == 2


def test_a_remembered_shape_is_kept_to_the_workspace_that_is_in_scope(pair: Pair) -> None:
    found = {}
    for workspace_id in (pair.mine, pair.theirs):
        with workspace_scope(workspace_id):
            found[workspace_id] = set(db.session.execute(select(User.id)).scalars())
            db.session.rollback()
    assert found == {pair.mine: {pair.me}, pair.theirs: {pair.them}}


def test_a_subquery_that_does_not_correlate_is_another_shape() -> None:
    inner = select(Suppression.id).where(Suppression.code == User.name)
    by_itself, alone = select(User.id).where(exists(inner)), select(User.id).where(exists(inner.correlate(None)))
    assert not tenancy.examine(by_itself).faults
    assert tenancy.examine(alone).faults


def test_the_shapes_that_are_remembered_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    kept: dict[object, tenancy.Verdict] = {}
    monkeypatch.setattr(tenancy, "_verdicts", kept)
    monkeypatch.setattr(tenancy, "MAX_VERDICTS", 3)
    for count in range(1, 12):
        tenancy.examine(select(User.id).where(*(User.id > 0 for _ in range(count))))
        assert len(kept) <= 3
