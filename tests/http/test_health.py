"""Alive without a database; ready only while database, sweep and tick are."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import create_engine, text

from backend.core import clock
from backend.core.database import db, system_scope
from backend.models import Workspace
from tests.http import callers
from tests.support import factories


def beat(name: str, seconds_ago: float) -> None:
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
    beat("sweep", 1)
    beat("tick", 14)
    response = client.get("/health/ready")
    assert response.status_code == 200
    assert states(response.get_json()) == {"database": "ok", "sweep": "ok", "tick": "ok"}


@pytest.mark.parametrize("part", ["sweep", "tick"])
def test_not_ready_when_one_has_stopped(client: FlaskClient, part: str) -> None:
    beat("sweep", 1)
    beat("tick", 1)
    beat(part, 16)
    error = callers.error_of(client.get("/health/ready"), 503)
    assert error["code"] == "not_ready"
    assert states(error["detail"])[part] == "stale"
    ages = {check["name"]: check["age"] for check in error["detail"]["checks"]}
    assert ages[part] >= 16


def test_not_ready_before_anything_has_run(client: FlaskClient) -> None:
    error = callers.error_of(client.get("/health/ready"), 503)
    assert states(error["detail"]) == {"database": "ok", "sweep": "missing", "tick": "missing"}


def test_business_time_does_not_age_a_heartbeat(client: FlaskClient) -> None:
    beat("sweep", 0)
    beat("tick", 0)
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
        "sweep": "missing",
        "tick": "missing",
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
