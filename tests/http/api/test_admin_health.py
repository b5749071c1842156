"""`GET /api/admin/health`: processes, what waits, and the names of what is wrong."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import redis
from flask.testing import FlaskClient
from sqlalchemy import text

from backend.core import clock, config, process_registry, queue
from backend.core.database import db, system_scope
from backend.models import Heartbeat, User, WebhookEvent, Workspace
from backend.services.health import figures
from tests.http import callers
from tests.support import factories


@pytest.fixture
def owner(client: FlaskClient) -> User:
    return callers.member(is_owner=True)


def look(client: FlaskClient, owner: User) -> dict[str, Any]:
    figures.forget()
    answer = client.get("/api/admin/health", headers=callers.signed_in(owner))
    assert answer.status_code == 200, answer.get_data(as_text=True)
    found: dict[str, Any] = answer.get_json()
    return found


def everything_runs() -> None:
    for role in ("web", "dispatch", "jobs"):
        process_registry.report(role)
    with system_scope("test"):
        now = db.session.execute(text("SELECT clock_timestamp()")).scalar_one()
        for name in ("sweep", "tick"):
            db.session.merge(Heartbeat(name=name, at=now))
        db.session.commit()


def test_all_is_well(client: FlaskClient, owner: User) -> None:
    everything_runs()
    found = look(client, owner)
    assert (found["status"], found["problems"]) == ("ok", [])
    assert {process["role"] for process in found["processes"]} == {"web", "dispatch", "jobs"}
    assert found["queues"] == {
        "deliveries": {"waiting": 0, "oldest": 0, "by_reason": {}},
        "intake": {"waiting": 0, "oldest": 0, "parked": 0},
        "mail": {"waiting": 0, "oldest": 0},
    }


def test_what_is_missing_is_named(client: FlaskClient, owner: User) -> None:
    everything_runs()
    home = db.session.get_one(Workspace, owner.workspace_id)
    bot = factories.bot(home, is_active=False, disabled_code="token_refused")
    now = clock.now()
    with system_scope("test"):
        db.session.get_one(Heartbeat, "tick").at -= timedelta(seconds=20)
        event = {"sender_id": bot.id, "channel": "telegram_bot", "conversation_key": 1, "due_at": now}
        db.session.add(WebhookEvent(**event, key=b"1", state="new", received_at=now - timedelta(minutes=2)))
        db.session.commit()
    redis.Redis.from_url(config.get().redis_url).flushdb()
    process_registry.report("intake")
    found = look(client, owner)
    assert found["status"] == "degraded"
    missing = sorted(f"no_worker_{role}" for role in ("dispatch", *queue.QUEUES) if role != "intake")
    assert found["problems"] == ["bot_disabled", "intake_old", *missing, "tick_stale"]


def test_redis_that_is_away_is_a_problem_and_no_error(
    client: FlaskClient, owner: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    everything_runs()

    def away(**_options: object) -> object:
        raise redis.ConnectionError

    headers = callers.signed_in(owner)
    monkeypatch.setattr(queue, "connection", away)
    monkeypatch.setattr("backend.http.limits.count_call", lambda *_arguments: None)
    figures.forget()
    found = client.get("/api/admin/health", headers=headers).get_json()
    assert found["processes"] is None
    assert found["problems"] == ["redis_failed"]
