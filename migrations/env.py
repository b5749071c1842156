"""Runs the migrations over the application's own engine; `flask db upgrade` ends here.

A lock keeps two releases that start at once from migrating at once.
"""

from __future__ import annotations

from alembic import context
from flask import current_app
from sqlalchemy import Connection, text

import backend.models  # noqa: F401 - registers the tables
from backend.core.database import Base, UtcDateTime, db

_LOCK = 0x5B0A_5EED


def include_name(name: str | None, kind: str, parents: object) -> bool:
    """Everything but Alembic's own table is ours."""
    return not (kind == "table" and name == "alembic_version")


def render_item(kind: str, item: object, context: object) -> str | bool:
    """Instants are written as what PostgreSQL makes of them: a migration does not import the product."""
    return "sa.DateTime(timezone=True)" if kind == "type" and isinstance(item, UtcDateTime) else False


def run(connection: Connection) -> None:
    """Migrates over one connection, one transaction a revision."""
    connection.execute(text("SELECT pg_advisory_lock(:lock)"), {"lock": _LOCK})
    connection.commit()
    options = dict(current_app.extensions["migrate"].configure_args)
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        include_name=include_name,
        render_item=render_item,
        transaction_per_migration=True,
        **options,
    )
    try:
        with context.begin_transaction():
            context.run_migrations()
    finally:
        connection.rollback()
        connection.execute(text("SELECT pg_advisory_unlock(:lock)"), {"lock": _LOCK})
        connection.commit()


if context.is_offline_mode():
    raise SystemExit("migrations run against a database; there is no offline mode")
with db.engine.connect() as opened:
    run(opened)
