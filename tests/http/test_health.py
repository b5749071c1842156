"""Alive without a database; ready only while database, sweep and tick are."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from flask.testing import FlaskClient
from sqlalchemy import create_engine, event, text

from backend.core import clock, config
from backend.core.database import db, system_scope
from backend.core.storage import FolderStorage
from backend.models import Workspace
from backend.services.health import storage_probe, write_probe
from tests.http import callers
from tests.support import factories
from tests.support.databases import Databases


def record_heartbeat(name: str, seconds_ago: float) -> None:
    """Stores a heartbeat, by the database's clock."""
    statement = text(
        "INSERT INTO heartbeats (name, at) VALUES (:name, clock_timestamp() - make_interval(secs => :ago))"
        " ON CONFLICT (name) DO UPDATE SET at = excluded.at"
    )
    with system_scope("a test's heartbeat"):
        db.session.execute(statement, {"name": name, "ago": seconds_ago})
        db.session.commit()


def states(body: dict[str, Any]) -> dict[str, str]:
    return {check["name"]: check["state"] for check in body["checks"]}


def test_alive_asks_no_database(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    db.session.remove()
    monkeypatch.setitem(db.engines, None, create_engine("postgresql+psycopg://nobody@127.0.0.1:1/none"))
    response = client.get("/health")
    assert (response.status_code, response.get_json()) == (200, {"status": "ok"})


def test_ready_while_both_have_run_of_late(client: FlaskClient) -> None:
    record_heartbeat("sweep", 1)
    record_heartbeat("tick", 14)
    response = client.get("/health/ready")
    assert response.status_code == 200
    assert states(response.get_json()) == {
        "database": "ok",
        "database_writes": "ok",
        "sweep": "ok",
        "tick": "ok",
        "storage": "ok",
    }


@pytest.mark.parametrize("part", ["sweep", "tick"])
def test_not_ready_when_one_has_stopped(client: FlaskClient, part: str) -> None:
    record_heartbeat("sweep", 1)
    record_heartbeat("tick", 1)
    record_heartbeat(part, 16)
    error = callers.error_of(client.get("/health/ready"), 503)
    assert error["code"] == "not_ready"
    assert states(error["detail"])[part] == "stale"
    ages = {check["name"]: check["age"] for check in error["detail"]["checks"]}
    assert ages[part] >= 16


def test_not_ready_before_anything_has_run(client: FlaskClient) -> None:
    error = callers.error_of(client.get("/health/ready"), 503)
    assert states(error["detail"]) == {
        "database": "ok",
        "database_writes": "ok",
        "sweep": "missing",
        "tick": "missing",
        "storage": "ok",
    }


def test_business_time_does_not_age_a_heartbeat(client: FlaskClient) -> None:
    record_heartbeat("sweep", 0)
    record_heartbeat("tick", 0)
    clock.move(3600)
    assert client.get("/health/ready").status_code == 200


def test_not_ready_without_a_database(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    db.session.remove()
    monkeypatch.setitem(db.engines, None, create_engine("postgresql+psycopg://nobody@127.0.0.1:1/none"))
    error = callers.error_of(client.get("/health/ready"), 503)
    assert states(error["detail"])["database"] == "failed"


def test_the_owner_sees_how_the_instance_and_each_bot_is(client: FlaskClient) -> None:
    owner = callers.member(is_owner=True)
    headers = callers.signed_in(owner)
    with system_scope("a test"):
        home = db.session.get_one(Workspace, owner.workspace_id)
    factories.bot(home, name="well")
    factories.bot(home, name="refused", is_active=False, disabled_code="token_refused")
    factories.bot(home, name="removed", is_active=False, deleted_at=clock.now())
    factories.bot(home, name="lent", source="arguments")
    callers.commit()
    shown = client.get("/api/admin/health", headers=headers).get_json()
    assert (shown["status"], shown["configured"]) == ("degraded", True)
    assert [bot["name"] for bot in shown["bots"]] == ["refused", "well"]
    assert shown["bots"][0]["disabled_code"] == "token_refused"
    assert {check["name"]: check["state"] for check in shown["checks"]} == {
        "database": "ok",
        "database_writes": "ok",
        "sweep": "missing",
        "tick": "missing",
        "storage": "ok",
        "redis": "ok",
    }
    assert shown["load"] == {"intake_age": 0.0, "outbox_age": 0.0, "workers": 0, "dispatchers": 0}
    admin = callers.signed_in(callers.member(home))
    assert callers.error_of(client.get("/api/admin/health", headers=admin), 403)["code"] == "owner_required"


def test_configured_is_an_instance_with_any_bot(client: FlaskClient, no_bot: None) -> None:
    owner = callers.member(is_owner=True)
    headers = callers.signed_in(owner)
    assert client.get("/api/admin/health", headers=headers).get_json()["configured"] is False
    with system_scope("a test"):
        home = db.session.get_one(Workspace, owner.workspace_id)
    factories.bot(home, is_active=False)
    callers.commit()
    assert client.get("/api/admin/health", headers=headers).get_json()["configured"] is False
    factories.bot(home)
    callers.commit()
    assert client.get("/api/admin/health", headers=headers).get_json()["configured"] is True


@pytest.fixture
def probe(client: FlaskClient) -> Iterator[None]:
    """Well in every other respect, and nothing of an earlier probe is believed."""
    record_heartbeat("sweep", 0)
    record_heartbeat("tick", 0)
    write_probe.forget()
    yield
    write_probe.forget()


@pytest.fixture
def refusing(databases: Databases) -> Iterator[Callable[[str], None]]:
    """Has the database refuse rows of the probe with an error code, as a full disk or a broken one does."""

    with psycopg.connect(databases.url, autocommit=True) as connection:

        def refuse(code: str) -> None:
            connection.execute(
                "CREATE OR REPLACE FUNCTION refuse_probe() RETURNS trigger LANGUAGE plpgsql AS"
                f" $$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '{code}'; END $$"
            )
            connection.execute(
                "CREATE TRIGGER refuse_probe BEFORE INSERT ON write_probes EXECUTE FUNCTION refuse_probe()"
            )

        yield refuse
        connection.execute("DROP TRIGGER IF EXISTS refuse_probe ON write_probes")
        connection.execute("DROP FUNCTION IF EXISTS refuse_probe")


@pytest.mark.parametrize("code", ["53100", "53200", "58030", "54000", "25006"])
def test_not_ready_when_the_database_takes_nothing(
    client: FlaskClient, probe: None, refusing: Callable[[str], None], code: str
) -> None:
    refusing(code)
    error = callers.error_of(client.get("/health/ready"), 503)
    assert states(error["detail"]) == {
        "database": "ok",
        "database_writes": "failed",
        "sweep": "ok",
        "tick": "ok",
        "storage": "ok",
    }


def test_a_probe_leaves_nothing_and_is_not_made_for_each_question(
    client: FlaskClient, probe: None, refusing: Callable[[str], None], databases: Databases
) -> None:
    assert client.get("/health/ready").status_code == 200
    refusing("53100")
    assert client.get("/health/ready").status_code == 200, "what was found out a moment ago still counts"
    with psycopg.connect(databases.url) as connection:
        assert connection.execute("SELECT count(*) FROM write_probes").fetchone() == (0,)


def test_a_dump_does_not_make_the_instance_unready(client: FlaskClient, probe: None, databases: Databases) -> None:
    with psycopg.connect(databases.url) as dump:
        dump.execute("SELECT * FROM write_probes")
        assert client.get("/health/ready").status_code == 200


@pytest.fixture
def read_only(client: FlaskClient) -> Iterator[None]:
    """Every connection of the application begins transactions that may not write."""

    def begin(connection: Any, *_: Any) -> None:
        connection.execute("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY")
        connection.commit()

    db.session.remove()
    db.engine.dispose()
    event.listen(db.engine, "connect", begin)
    yield
    event.remove(db.engine, "connect", begin)
    db.session.remove()
    db.engine.dispose()


def test_a_read_only_database_is_away_and_no_defect(client: FlaskClient, probe: None, request: Any) -> None:
    headers = callers.signed_in(callers.member())
    request.getfixturevalue("read_only")
    ready = callers.error_of(client.get("/health/ready"), 503)
    assert states(ready["detail"])["database_writes"] == "failed"
    for path, body in (
        ("/api/events", {"type": "post_success", "data": {}}),
        ("/api/tokens", {"name": "CI", "scopes": ["read"]}),
        ("/api/alerts", {"severity": "error", "title": "Disk", "message": "full"}),
        ("/api/auth/login", {"email": "nobody@example.com", "password": "wrong"}),
    ):
        answer = client.post(path, json=body, headers=headers)
        assert answer.status_code in (401, 503), (path, answer.get_json())
        if answer.status_code == 503:
            assert answer.get_json()["error"]["code"] == "database_unavailable"
            assert answer.headers["Retry-After"]
    assert client.get("/api/tokens", headers=headers).status_code in (200, 503)


def test_an_update_to_a_read_only_database_is_not_taken(client: FlaskClient, settings: Any, request: Any) -> None:
    factories.bot(factories.workspace(), source="environment")
    callers.commit()
    request.getfixturevalue("read_only")
    headers = {"X-Telegram-Bot-Api-Secret-Token": settings.telegram_webhook_secret}
    answer = client.post("/telegram/webhook", json={"update_id": 1}, headers=headers)
    assert (answer.status_code, answer.get_json()["error"]["code"]) == (503, "database_unavailable")


@pytest.fixture
def no_storage(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Files would be kept where no folder can be made."""
    (tmp_path / "file").write_text("in the way")
    settings = config.get().model_copy(update={"media_url": str(tmp_path / "file" / "media")})
    monkeypatch.setattr(config, "_current", settings)
    storage_probe.forget()
    yield
    storage_probe.forget()


def test_a_storage_that_is_away_is_shown_and_takes_nothing_else_down(client: FlaskClient, no_storage: None) -> None:
    record_heartbeat("sweep", 1)
    record_heartbeat("tick", 1)
    response = client.get("/health/ready")
    assert response.status_code == 200
    assert states(response.get_json())["storage"] == "failed"
    headers = callers.signed_in(callers.member(is_owner=True))
    assert "storage_failed" in client.get("/api/admin/health", headers=headers).get_json()["problems"]


def test_the_storage_is_not_tried_for_each_question(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    storage_probe.forget()
    tried = []

    def is_available(storage: FolderStorage) -> bool:
        tried.append(storage)
        return True

    monkeypatch.setattr(FolderStorage, "is_available", is_available)
    for _ in range(3):
        client.get("/health/ready")
    assert len(tried) == 1
    storage_probe.forget()
