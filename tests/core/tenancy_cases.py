"""Statements against a workspace's scope: refused ones, and ones with what they may answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy import delete, exists, func, literal, select, text, true, union_all, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import aliased, outerjoin

from backend.core import clock
from backend.core.database import db
from backend.models import AuditEntry, Conversation, MessagePart, Suppression, User, Workspace

PLAIN: Any = User.__table__
other = aliased(User)


@dataclass
class Pair:
    """Ids of two workspaces, each with a person and a conversation: `mine` is in scope."""

    mine: int
    theirs: int
    me: int
    them: int
    my_chat: int
    their_chat: int


def suppression(workspace_id: int | None = None) -> dict[str, Any]:
    row = {"external_hash": b"x" * 32, "code": "x", "created_at": clock.now()}
    return row if workspace_id is None else row | {"workspace_id": workspace_id}


Build = Callable[[Pair], Any]
REFUSED_STATEMENTS: dict[str, Build] = {
    "text": lambda p: text("SELECT id FROM users"),
    "union": lambda p: sa.union(select(User.id), select(User.id)),
    "union_all": lambda p: select(User.id).union_all(select(User.id)),
    "from_statement of text": lambda p: select(User).from_statement(text("SELECT * FROM users")),
    "from_statement of a union": lambda p: select(User).from_statement(union_all(select(User))),
    "plain table": lambda p: select(PLAIN.c.id),
    "plain table's alias in an ORM statement": lambda p: select(Workspace.id, PLAIN.alias().c.id),
    "plain table in EXISTS": lambda p: select(Workspace.id).where(
        exists(select(PLAIN.c.id).where(PLAIN.c.workspace_id == Workspace.id))
    ),
    "plain table in a scalar subquery": lambda p: select(Workspace.id, select(func.max(PLAIN.c.id)).scalar_subquery()),
    "plain table in a subquery's function": lambda p: select(Workspace.id).where(
        exists(select(Workspace.id).where(func.abs(PLAIN.c.id) > 0))
    ),
    "entity only mentioned in a subquery": lambda p: select(Workspace.id).where(
        exists(select(Workspace.id).where(func.abs(User.id) == p.them))
    ),
    "entity that a subquery does not share with the outside": lambda p: select(User.id).where(
        exists(select(literal(1)).where(func.abs(User.id) == p.them))
    ),
    "entity only mentioned in a FROM subquery": lambda p: select(
        Workspace.id, select(Conversation.id).where(func.abs(User.id) == p.them).subquery().c.id
    ),
    "entity's alias by alias()": lambda p: select(Workspace.id, sa.alias(cast(Any, User)).c.id),
    "sample of an entity's table": lambda p: select(Workspace.id, sa.tablesample(User, 100).c.id),
    "text as FROM": lambda p: select(text("id")).select_from(text("users")),
    "text as a column": lambda p: select(Workspace.id, text("(SELECT max(id) FROM users)")),
    "text as a condition": lambda p: select(User.id).where(text("true")),
    "literal_column": lambda p: select(Workspace.id, sa.literal_column("(SELECT max(id) FROM users)")),
    "light table": lambda p: select(sa.table("users", sa.column("id")).c.id),
    "light table in an ORM statement": lambda p: select(Workspace.id, sa.table("users", sa.column("id")).c.id),
    "join() as FROM": lambda p: select(Workspace.id).select_from(
        sa.join(Workspace, User, User.workspace_id == Workspace.id)
    ),
    "orm.outerjoin() as FROM": lambda p: select(User.id).select_from(outerjoin(Workspace, User, true())),
    "join into a join": lambda p: select(Workspace.id).join(sa.join(User, Conversation, true()), true()),
    "full join": lambda p: select(Workspace.id, User.id).join(User, User.workspace_id == Workspace.id, full=True),
    "change in a CTE": lambda p: select(Workspace.id, update(User).values(name="x").returning(User.id).cte().c.id),
    "insert in a CTE": lambda p: select(
        Workspace.id, insert(Suppression).values(suppression(p.theirs)).returning(Suppression.id).cte().c.id
    ),
    "filter on a function of another entity": lambda p: select(func.count(literal(1)).filter(PLAIN.c.id > 0)),
    "update of the workspace": lambda p: update(User).values(workspace_id=p.theirs),
    "update of the workspace by an expression": lambda p: update(User).values(workspace_id=User.workspace_id + 1),
    "update of the workspace in order": lambda p: update(User).ordered_values((User.workspace_id, p.theirs)),
    "update without the ORM": lambda p: update(PLAIN).values(name="x"),
    "update past the ORM": lambda p: update(User).values(name="x").execution_options(dml_strategy="core_only"),
    "update with a plain table in a subquery": lambda p: update(User).values(
        name=select(func.max(PLAIN.alias().c.email)).scalar_subquery()
    ),
    "delete without the ORM": lambda p: delete(PLAIN),
    "delete by a plain table in a subquery": lambda p: delete(Workspace).where(exists(select(PLAIN.c.id))),
    "insert from select": lambda p: insert(Suppression).from_select(
        ["workspace_id", "code"], select(User.workspace_id, User.email)
    ),
    "insert of a query's value": lambda p: insert(Suppression).values(
        suppression(p.mine) | {"code": select(User.email).where(User.id == p.them).scalar_subquery()}
    ),
    "insert of many with a query's value": lambda p: insert(Suppression).values(
        [suppression(p.mine), suppression(p.mine) | {"code": select(User.email).scalar_subquery()}]
    ),
    "insert returning a query's value": lambda p: (
        insert(Suppression).values(suppression(p.mine)).returning(select(func.max(User.id)).scalar_subquery())
    ),
    "insert into a table without workspaces of a query's value": lambda p: insert(Workspace).values(
        name=select(func.max(User.email)).scalar_subquery(), created_at=clock.now()
    ),
    "insert of a foreign row": lambda p: insert(Suppression).values(suppression(p.theirs)),
    "insert of a row of no workspace": lambda p: insert(Suppression).values(suppression()),
    "insert of many with a foreign row": lambda p: insert(Suppression).values(
        [suppression(p.mine), suppression(p.theirs)]
    ),
    "insert of a workspace by an expression": lambda p: insert(Suppression).values(
        suppression() | {"workspace_id": literal(p.mine) + 1}
    ),
    "insert without the ORM": lambda p: insert(cast(Any, Suppression.__table__)).values(suppression(p.theirs)),
    "insert that meets a foreign row": lambda p: (
        insert(MessagePart)
        .values(workspace_id=p.mine, message_id=1, part=0)
        .on_conflict_do_update(index_elements=["message_id", "part"], set_={"external_id": "x"})
    ),
    "insert that moves a row": lambda p: (
        insert(Suppression)
        .values(suppression(p.mine))
        .on_conflict_do_update(index_elements=["workspace_id", "external_hash"], set_={"workspace_id": p.theirs})
    ),
    "insert that updates from a query": lambda p: (
        insert(Suppression)
        .values(suppression(p.mine))
        .on_conflict_do_update(
            index_elements=["workspace_id", "external_hash"], set_={"code": select(User.email).scalar_subquery()}
        )
    ),
    "function": lambda p: func.now(),
}  # fmt: skip


REFUSED_CALLS: dict[str, Callable[[Pair], object]] = {
    "update by keys": lambda p: db.session.execute(update(User), [{"id": p.them, "name": "x"}]),
    "update of the workspace by a parameter": lambda p: db.session.execute(
        update(User).where(User.id == p.me), {"workspace_id": p.theirs}
    ),
    "update of the workspace by a named parameter": lambda p: db.session.execute(
        update(User).values(workspace_id=sa.bindparam("w", p.mine)), {"w": p.theirs}
    ),
    "insert of values with foreign parameters": lambda p: db.session.execute(
        insert(Suppression).values(workspace_id=p.mine), [suppression(p.mine), suppression(p.theirs)]
    ),
    "insert of foreign values with parameters": lambda p: db.session.execute(
        insert(Suppression).values(workspace_id=p.theirs), [suppression(p.mine)]
    ),
    "insert of a named parameter": lambda p: db.session.execute(
        insert(Suppression).values(suppression() | {"workspace_id": sa.bindparam("w", p.mine)}), {"w": p.theirs}
    ),
    "insert of a query's value as a parameter": lambda p: db.session.execute(
        insert(Suppression), [suppression(p.mine) | {"code": select(User.email).scalar_subquery()}]
    ),
    "bulk_insert_mappings": lambda p: db.session.bulk_insert_mappings(Suppression, [suppression(p.theirs)]),
    "bulk_update_mappings": lambda p: db.session.bulk_update_mappings(User, [{"id": p.them, "name": "x"}]),
    "bulk_save_objects": lambda p: db.session.bulk_save_objects([Suppression(**suppression(p.theirs))]),
    "connection": lambda p: db.session.connection(),
    "query's from_statement": lambda p: db.session.query(User).from_statement(text("SELECT * FROM users")).all(),
}


def _subquery() -> Any:
    return select(User.id, User.workspace_id).subquery()


def _numbers() -> Any:
    start = select(User.id).where(User.id > 0).cte(recursive=True)
    return start.union_all(select(User.id).where(User.id == start.c.id + 1))


# Each answers with ids of people of the workspace in scope only: a row more, or of another, is a leak.
PEOPLE: dict[str, Build] = {
    "select": lambda p: select(User.id),
    "entity": lambda p: select(User),
    "alias": lambda p: select(other.id),
    "join": lambda p: select(User.id).join(Conversation, Conversation.workspace_id == User.workspace_id),
    "join of the outside": lambda p: select(User.id).join(Conversation, true()),
    "join_from": lambda p: select(User.id).join_from(Conversation, User, true()),
    "join kept under other columns": lambda p: (
        select(Conversation.id).join(User, true()).with_only_columns(User.id)
    ),
    "outer join": lambda p: select(User.id).outerjoin(Conversation, Conversation.id == -1),
    "outer join from a table without workspaces": lambda p: (
        select(User.id).select_from(Workspace).outerjoin(User, true()).where(Workspace.id == p.theirs)
    ),
    "self join": lambda p: select(User.id).join(other, other.workspace_id == User.workspace_id),
    "subquery": lambda p: select(_subquery().c.id),
    "CTE": lambda p: select(select(User.id).cte().c.id),
    "recursive CTE": lambda p: select(_numbers().c.id),
    "alias of a subquery": lambda p: select(aliased(User, select(User).subquery()).id),
    "alias of a union": lambda p: select(aliased(User, sa.union(select(User), select(User)).subquery()).id),
    "union in FROM": lambda p: select(sa.union(select(User.id), select(User.id)).subquery().c.id),
    "lateral": lambda p: (
        select(select(User.id).where(User.workspace_id == Workspace.id).lateral("l").c.id).select_from(Workspace)
    ),
    "EXISTS": lambda p: select(User.id).where(exists(select(Conversation.id))),
    "correlated EXISTS": lambda p: select(User.id).where(
        exists(select(Conversation.id).where(Conversation.workspace_id == User.workspace_id))
    ),
    "IN": lambda p: select(User.id).where(User.id.in_(select(other.id))),
    "scalar subquery": lambda p: select(select(func.max(User.id)).scalar_subquery()).select_from(Workspace).limit(1),
    "explicit correlation": lambda p: select(User.id).where(
        select(func.count(Conversation.id)).where(User.id > 0).correlate(User).scalar_subquery() == 1
    ),
    "function": lambda p: select(func.max(User.id)),
    "function of two entities": lambda p: select(func.greatest(Workspace.id * 0, User.id)).distinct(),
    "mentioned in a condition": lambda p: select(func.max(User.id)).where(Conversation.id > 0),
    "mentioned in a condition's function": lambda p: (
        select(User.id).where(func.abs(Conversation.id) > 0, func.abs(other.id) > 0)
    ),
    "plain column of the same table": lambda p: select(User.id).where(PLAIN.c.id > 0),
    "plain column beside an entity": lambda p: select(PLAIN.c.id).select_from(User),
    "plain table beside an entity": lambda p: select(func.greatest(Workspace.id * 0, PLAIN.c.id)).distinct(),
    "locked": lambda p: (
        select(User.id).join(Conversation, true()).with_for_update(of=User, skip_locked=True)
    ),
    "ordered and grouped": lambda p: (
        select(User.id).group_by(User.id).having(func.count() > 0).order_by(func.max(User.email))
    ),
    "window": lambda p: select(select(User.id, func.max(User.id).over().label("most")).subquery().c.most),
    "update": lambda p: update(User).values(name="x").returning(User.id),
    "update from": lambda p: (
        update(User).where(func.abs(Conversation.id) > 0).values(name=Conversation.kind).returning(User.id)
    ),
    "update by EXISTS": lambda p: (
        update(User)
        .where(exists(select(Conversation.id).where(Conversation.workspace_id == User.workspace_id)))
        .values(name="x")
        .returning(User.id)
    ),
    "update to its own workspace": lambda p: update(User).values(workspace_id=p.mine).returning(User.id),
    "delete": lambda p: delete(User).returning(User.id),
    "delete using": lambda p: delete(User).where(func.abs(other.id) > 0).returning(User.id),
}  # fmt: skip


# Each answers nothing, for what it asks for is another workspace's.
FOREIGN: dict[str, Build] = {
    "key": lambda p: select(User.id).where(User.id == p.them),
    "EXISTS": lambda p: select(Workspace.id).where(exists(select(User.id).where(User.id == p.them))),
    "scalar subquery": lambda p: select(Workspace.id).where(
        select(User.id).where(User.id == p.them).scalar_subquery() == p.them
    ),
    "mentioned": lambda p: select(Workspace.id).where(User.id == p.them),
    "mentioned in a function": lambda p: select(Workspace.id).where(func.abs(User.id) == p.them),
    "mentioned in a column": lambda p: (
        select(func.coalesce(Workspace.id, User.id)).where(func.abs(User.id) == p.them)
    ),
    "mentioned as an alias": lambda p: select(Workspace.id).where(func.abs(other.id) == p.them),
    "plain table": lambda p: select(Workspace.id, PLAIN.c.id).where(PLAIN.c.id == p.them),
    "count's rows": lambda p: select(func.count()).select_from(User).having(func.count() != 1),
    "update from": lambda p: (
        update(Workspace).where(Workspace.id == User.workspace_id, User.id == p.them).values(name=User.email)
        .returning(Workspace.id)
    ),
    "delete by EXISTS": lambda p: (
        delete(AuditEntry).where(exists(select(User.id).where(User.id == p.them))).returning(AuditEntry.id)
    ),
}  # fmt: skip
