"""The migrations make exactly what the models say, in one line, and hold what no model can."""

from __future__ import annotations

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from backend.core.database import Base, db, system_scope
from backend.models import AuditEntry
from tests.support import factories


def test_there_is_one_head():
    assert len(ScriptDirectory("migrations").get_heads()) == 1


def test_models_and_migrations_agree(app):
    with db.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, Base.metadata) == []


def test_the_audit_trail_cannot_be_changed(app, databases):
    with system_scope("test"):
        home = factories.workspace()
        db.session.add(AuditEntry(workspace_id=home.id, actor="cli", action="test", at=home.created_at))
        db.session.commit()
    with psycopg.connect(databases.url, autocommit=True) as connection:
        for statement in (
            "UPDATE audit_entries SET actor = 'x'",
            "DELETE FROM audit_entries",
            "TRUNCATE audit_entries",
            "TRUNCATE audit_entries RESTART IDENTITY",
            "TRUNCATE workspaces CASCADE",
            "TRUNCATE users, audit_entries, workspaces CASCADE",
        ):
            with pytest.raises(psycopg.errors.RaiseException, match="append-only"):
                connection.execute(statement)
        assert connection.execute("SELECT count(*) FROM audit_entries").fetchone() == (1,)


def test_every_foreign_key_of_a_tenant_table_to_a_tenant_table_holds_the_workspace(app):
    loose = []
    for table in Base.metadata.sorted_tables:
        for constraint in table.foreign_key_constraints:
            target = constraint.referred_table
            both = "workspace_id" in table.c and not table.c.workspace_id.nullable and "workspace_id" in target.c
            if both and not target.c.workspace_id.nullable and "workspace_id" not in constraint.column_keys:
                loose.append(f"{table.name}.{constraint.column_keys} -> {target.name}")
    assert loose == []
