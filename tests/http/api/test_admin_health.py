"""`GET /api/admin/health`: what is wrong is named, and only one's own bots are shown."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import redis
from flask.testing import FlaskClient
from sqlalchemy import text

from backend.core import clock, config, presence, queue
from backend.core.database import db, system_scope
from backend.models import Heartbeat, SenderLease, User, WebhookEvent, Workspace
from backend.services import senders
from backend.services.health import figures
from tests.http import callers
from tests.support import factories


@pytest.fixture
def admin(client: FlaskClient) -> User:
    return callers.member()


def look(client: FlaskClient, admin: User) -> dict[str, Any]:
    figures.forget()
    answer = client.get("/api/admin/health", headers=callers.signed_in(admin))
    assert answer.status_code == 200, answer.get_data(as_text=True)
    found: dict[str, Any] = answer.get_json()
    return found


def everything_runs() -> None:
    for role in ("web", "dispatch", "jobs"):
        presence.report(role)
    with system_scope("test"):
        now = db.session.execute(text("SELECT clock_timestamp()")).scalar_one()
        for name in ("sweep", "tick"):
            db.session.merge(Heartbeat(name=name, at=now))
        db.session.commit()


def test_all_is_well(client: FlaskClient, admin: User) -> None:
    everything_runs()
    found = look(client, admin)
    assert (found["status"], found["problems"]) == ("ok", [])
    assert found["database"]["state"] == found["redis"]["state"] == "ok"
    assert {worker["role"] for worker in found["workers"]} == {"web", "dispatch", "jobs"}
    assert found["queues"]["deliveries"] == {"waiting": 0, "oldest_seconds": 0, "by_reason": {}}
    assert found["configured"] is True


def test_what_is_missing_is_named(client: FlaskClient, admin: User) -> None:
    everything_runs()
    home = db.session.get_one(Workspace, admin.workspace_id)
    bot = factories.bot(home, name="alerts", is_active=False, disabled_code="token_refused")
    now = clock.now()
    with system_scope("test"):
        db.session.get_one(Heartbeat, "tick").at -= timedelta(seconds=20)
        event = {"sender_id": bot.id, "channel": "telegram_bot", "conversation_key": 1, "due_at": now}
        db.session.add(WebhookEvent(**event, key=b"1", state="new", received_at=now - timedelta(minutes=2)))
        db.session.commit()
    redis.Redis.from_url(config.get().redis_url).flushdb()
    presence.report("intake")
    found = look(client, admin)
    assert found["status"] == "degraded"
    expected = ["bot_disabled", "intake_old", "no_worker_background", "no_worker_dispatch", "no_worker_notifications"]
    assert found["problems"] == [*expected, "tick_stale"]
    assert [(one["name"], one["state"], one["code"]) for one in found["bots"]] == [
        ("alerts", "disabled", "token_refused")
    ]


def test_redis_that_is_away_is_a_problem_and_no_error(
    client: FlaskClient, admin: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    everything_runs()

    def away(**_options: object) -> object:
        raise redis.ConnectionError

    headers = callers.signed_in(admin)
    monkeypatch.setattr(queue, "connection", away)
    monkeypatch.setattr("backend.http.limits.count_call", lambda caller: None)
    figures.forget()
    found = client.get("/api/admin/health", headers=headers).get_json()
    assert (found["redis"]["state"], found["workers"]) == ("failed", None)
    assert found["problems"] == ["redis_failed"]


def test_bots_of_others_are_not_shown_and_the_default_one_is(client: FlaskClient, admin: User) -> None:
    everything_runs()
    own = factories.bot(db.session.get_one(Workspace, admin.workspace_id))
    other = callers.member()
    factories.bot(db.session.get_one(Workspace, other.workspace_id))
    default = senders.default_bot()
    assert default is not None
    with system_scope("test"):
        until = clock.now() + timedelta(minutes=1)
        db.session.add(SenderLease(sender_id=own.id, owner="x", epoch=1, until=until, paused_until=until))
        db.session.commit()
    found = look(client, admin)["bots"]
    assert [one["id"] for one in found] == sorted([own.id, default.id])
    assert [one["source"] for one in found if one["id"] == default.id] == ["environment"]
    assert all((one["paused_until"] is not None) == (one["id"] == own.id) for one in found)
    assert default.id in [one["id"] for one in look(client, other)["bots"]]


def test_configured_is_by_any_bot_of_the_database_or_the_environment(
    client: FlaskClient, admin: User, no_bot: None
) -> None:
    assert look(client, admin)["configured"] is False
    factories.bot(db.session.get_one(Workspace, admin.workspace_id))
    callers.commit()
    assert look(client, admin)["configured"] is True


def test_only_admins(client: FlaskClient, admin: User) -> None:
    viewer = callers.member(workspace_id=admin.workspace_id, role="operator")
    assert client.get("/api/admin/health", headers=callers.signed_in(viewer)).status_code == 403
