"""Alive without a database; ready only while database, sweep and tick are."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import create_engine, text

from backend.core import clock
from backend.core.database import db, system_scope
from tests.http import callers


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
