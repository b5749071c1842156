"""A database of its own for each test worker, made from a template that is built once a run."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
import redis
from psycopg import sql

ROOT = Path(__file__).resolve().parents[2]
_TRUNCATE_EVERY = 100


@dataclass
class Databases:
    """Addresses of one worker's database and Valkey database, and how they are emptied."""

    url: str
    redis_url: str
    _connection: psycopg.Connection | None = None
    _store: redis.Redis | None = None
    _look: str = ""
    _truncate: str = ""
    _cleaned: int = 0

    @classmethod
    @contextmanager
    def for_worker(cls, worker_id: str, base: Path) -> Iterator[Databases]:
        """Makes the worker's database; starts servers when the environment names none."""
        with _servers(base) as (server_url, redis_server_url):
            run = os.environ.get("PYTEST_XDIST_TESTRUNUID", str(os.getpid()))[:12]
            template = f"switchboard_template_{run}"
            name = f"switchboard_{run}_{worker_id}"
            _make_template(server_url, template)
            _execute(server_url, sql.SQL("DROP DATABASE IF EXISTS {}").format(sql.Identifier(name)))
            _execute(
                server_url,
                sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(template)),
            )
            number = int(worker_id.removeprefix("gw")) + 1 if worker_id.startswith("gw") else 0
            offset = int(urlsplit(redis_server_url).path.lstrip("/") or 0)
            own = cls(_with_path(server_url, name), _with_path(redis_server_url, str(offset + number)))
            try:
                yield own
            finally:
                if own._connection:
                    own._connection.close()
                if own._store:
                    own._store.close()
                _execute(server_url, sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))

    def clean(self) -> None:
        """Empties every table and this worker's Valkey database.

        Few tables hold anything after a test, and those a few rows: deleting them costs a tenth of truncating all. The
        rows they leave behind go with a truncation now and then.
        """
        if self._connection is None or self._connection.closed:
            self._open()
        assert self._connection is not None
        assert self._store is not None
        self._cleaned += 1
        if self._cleaned % _TRUNCATE_EVERY == 0:
            self._connection.execute(self._truncate)
        else:
            steps = [row[0] for row in self._connection.execute(self._look, prepare=True)]
            if steps:
                self._connection.execute("; ".join(steps))
        self._store.flushdb()

    def _open(self) -> None:
        """In the replica's role neither foreign keys nor the triggers that keep the audit trail stand in the way. To
        change to it and back each time would have every statement planned anew."""
        self._connection = psycopg.connect(self.url, autocommit=True, options="-c session_replication_role=replica")
        self._store = redis.Redis.from_url(self.redis_url)
        rows = self._connection.execute(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'alembic_version'"
        )
        tables = [sql.Identifier(row[0]) for row in rows]
        looks = [
            sql.SQL("SELECT {} WHERE EXISTS (SELECT 1 FROM {})").format(
                sql.Literal(sql.SQL("DELETE FROM {}").format(table).as_string(self._connection)), table
            )
            for table in tables
        ]
        used = sql.SQL(
            "SELECT format('SELECT setval(%L, 1, false)', quote_ident(sequencename)) FROM pg_sequences"
            " WHERE schemaname = 'public' AND last_value IS NOT NULL"
        )
        self._look = sql.SQL(" UNION ALL ").join([*looks, used]).as_string(self._connection)
        every = sql.SQL(", ").join(tables)
        self._truncate = sql.SQL("TRUNCATE {} RESTART IDENTITY CASCADE").format(every).as_string(self._connection)


@contextmanager
def _servers(base: Path) -> Iterator[tuple[str, str]]:
    named = os.environ.get("TEST_DATABASE_URL"), os.environ.get("TEST_REDIS_URL")
    if named[0] and named[1]:
        yield named[0], named[1]
        return
    from tests.support.servers import EmbeddedPostgres, EmbeddedValkey

    postgres = EmbeddedPostgres(base / "postgres", fsync=False)
    valkey = EmbeddedValkey(base / "valkey", persist=False)
    try:
        yield postgres.start(), valkey.start()
    finally:
        valkey.stop()
        postgres.stop()


def _make_template(server_url: str, name: str) -> None:
    """Builds the schema by running the migrations, once for all workers of a run."""
    lock = Path(f"/tmp/{name}.lock")
    with lock.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        if _exists(server_url, name):
            return
        building = f"{name}_building"
        _execute(server_url, sql.SQL("DROP DATABASE IF EXISTS {}").format(sql.Identifier(building)))
        _execute(server_url, sql.SQL("CREATE DATABASE {}").format(sql.Identifier(building)))
        migrate(_with_path(server_url, building))
        _execute(
            server_url,
            sql.SQL("ALTER DATABASE {} RENAME TO {}").format(sql.Identifier(building), sql.Identifier(name)),
        )


def migrate(url: str) -> None:
    """Brings an empty database to the newest schema by the product's own migrations."""
    from flask import Flask
    from flask_migrate import Migrate, upgrade

    import backend.models  # noqa: F401 - registers the tables
    from backend.core.config import normalize_database_url
    from backend.core.database import db

    app = Flask("migrations")
    app.config["SQLALCHEMY_DATABASE_URI"] = normalize_database_url(url)
    db.init_app(app)
    Migrate(app, db, directory=str(ROOT / "migrations"))
    with app.app_context():
        upgrade()
        db.engine.dispose()


def _exists(server_url: str, name: str) -> bool:
    with psycopg.connect(server_url, autocommit=True) as connection:
        return connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,)).fetchone() is not None


def _execute(server_url: str, statement: sql.Composed) -> None:
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(statement)


def _with_path(url: str, path: str) -> str:
    return urlunsplit(urlsplit(url)._replace(path=f"/{path}"))
