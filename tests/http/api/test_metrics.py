"""Metrics: who may read them, and that they count what is there."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import create_engine

from backend.channels.base import Content
from backend.core import clock, config, process_registry, queue
from backend.core.database import db, system_scope, workspace_scope
from backend.models import Attempt, Heartbeat, JobRun, Mail, SenderLease, WebhookEvent, Workspace
from backend.services import delivery
from backend.services.health import figures
from tests.http import callers
from tests.support import factories

TOKEN = "a-token-for-the-tests"


@pytest.fixture(autouse=True)
def token(app: Any, settings: config.Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config, "_current", settings.model_copy(update={"metrics_token": TOKEN}))
    figures.forget()


def scrape(client: FlaskClient) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """Every sample by name and labels."""
    figures.forget()
    answer = client.get("/metrics", headers=callers.bearer(TOKEN))
    assert answer.status_code == 200
    assert answer.content_type.startswith("text/plain; version=")
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(answer.get_data(as_text=True))
        for sample in family.samples
    }


def test_only_with_the_token(client: FlaskClient, settings: config.Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    assert client.get("/metrics").status_code == 401
    assert callers.error_of(client.get("/metrics", headers=callers.bearer("wrong")), 401)
    assert client.get("/metrics", headers=callers.signed_in(callers.member())).status_code == 401
    monkeypatch.setattr(config, "_current", settings)
    answer = client.get("/metrics", headers=callers.bearer(""))
    assert callers.error_of(answer, 404)["code"] == "metrics_off"


def test_queues_outcomes_and_standing_are_counted(client: FlaskClient) -> None:
    home = factories.workspace()
    bot, refused = factories.bot(home), factories.bot(home, is_active=False, disabled_code="token_refused")
    chat = factories.conversation(home, bot)
    now = clock.now()
    with workspace_scope(home.id):
        delivery.send(chat, Content("hello"), kind="test")
        delivery.send(chat, Content("later"), kind="test", not_before=now + timedelta(hours=1), reason="quiet_hours")
        delivery.send(chat, Content("a reply"), kind="test", lane=delivery.Priority.REPLY)
    attempt = {"workspace_id": home.id, "sender_id": bot.id, "delivery_id": 1, "part": 0, "epoch": 1}
    event = {"sender_id": bot.id, "channel": "telegram_bot", "conversation_key": 1, "due_at": now}
    with system_scope("test"):
        db.session.add_all(
            [
                *(Attempt(**attempt, operation="send", phase="started", at=now) for _ in range(3)),
                Attempt(**attempt, operation="send", phase="retry", code="connect_failed", at=now),
                Attempt(**attempt, operation="send", phase="started", at=now - timedelta(minutes=6)),
                WebhookEvent(**event, key=b"1", state="new", received_at=now - timedelta(seconds=30)),
                WebhookEvent(**event, key=b"2", state="parked", received_at=now),
                SenderLease(
                    sender_id=bot.id,
                    owner="x",
                    epoch=1,
                    until=now + timedelta(minutes=1),
                    paused_until=now + timedelta(minutes=1),
                ),
                SenderLease(sender_id=refused.id, owner="x", epoch=1, until=now - timedelta(minutes=1)),
                Heartbeat(name="sweep", at=now - timedelta(seconds=5)),
                JobRun(job="retention", state="succeeded", started_at=now),
                JobRun(job="retention", state="succeeded", started_at=now - timedelta(hours=2)),
                Mail(workspace_id=home.id, kind="notice", due_at=now, expires_at=now, created_at=now),
            ]
        )
        db.session.commit()
    clock.move(10)
    found = scrape(client)

    def of(name: str, **labels: str) -> float:
        return found[f"switchboard_{name}", tuple(sorted(labels.items()))]

    assert of("up", part="database") == of("up", part="redis") == 1
    assert of("deliveries", lane="notification", state="due", reason="queued") == 1
    assert of("deliveries", lane="notification", state="due", reason="quiet_hours") == 1
    assert of("deliveries", lane="reply", state="due", reason="queued") == 1
    assert 10 <= of("deliveries_oldest_seconds", lane="reply", state="due", reason="queued") < 60
    assert of("deliveries_oldest_seconds", lane="notification", state="due", reason="quiet_hours") == 0
    assert of("operations_last_5m", operation="send", phase="started") == 3
    assert of("operations_last_5m", operation="send", phase="retry") == 1
    assert of("failures_last_5m", code="connect_failed") == 1
    assert (of("intake_waiting"), of("intake_parked")) == (1, 1)
    assert 40 <= of("intake_oldest_seconds") < 90
    assert (of("leases_held"), of("senders_paused")) == (1, 1)
    assert (of("senders", standing="active"), of("senders", standing="token_refused")) == (1, 1)
    assert 4 < of("heartbeat_age_seconds", part="sweep") < 60
    assert of("job_runs_last_1h", job="retention", state="succeeded") == 1
    assert of("mail_waiting") == 1


def test_processes_are_counted_whichever_is_asked(client: FlaskClient) -> None:
    process_registry.report("web", live=4)
    process_registry.report("dispatch")
    found = scrape(client)
    roles = {dict(labels).get("role") for name, labels in found if name == "switchboard_process_cpu_seconds_total"}
    assert roles == {"web", "dispatch"}
    [live] = [value for (name, labels), value in found.items() if "live" in name and ("role", "web") in labels]
    assert live == 4


def test_no_label_names_a_person(client: FlaskClient) -> None:
    person = callers.member()
    home = db.session.get_one(Workspace, person.workspace_id)
    chat = factories.conversation(home, factories.bot(home), chat_id="5100000777")
    with workspace_scope(home.id):
        delivery.send(chat, Content("a private text"), kind="test")
        db.session.commit()
    figures.forget()
    text = client.get("/metrics", headers=callers.bearer(TOKEN)).get_data(as_text=True)
    for secret in (str(person.email), "5100000777", "private text"):
        assert secret not in text


def test_a_part_that_is_away_is_said_and_the_rest_is_told(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    import redis

    def away(**_options: object) -> object:
        raise redis.ConnectionError

    with monkeypatch.context() as patched:
        patched.setattr(queue, "connection", away)
        found = scrape(client)
        assert found["switchboard_up", (("part", "redis"),)] == 0
        assert found["switchboard_intake_waiting", ()] == 0
    process_registry.report("web")
    db.session.remove()
    monkeypatch.setitem(db.engines, None, create_engine("postgresql+psycopg://nobody@127.0.0.1:1/none"))
    found = scrape(client)
    assert found["switchboard_up", (("part", "database"),)] == 0
    assert any(name == "switchboard_process_resident_memory_bytes" for name, _ in found)


def test_a_look_is_kept_for_some_seconds(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[int] = []
    real = figures._read

    def counted() -> figures.Figures:
        looks.append(1)
        return real()

    monkeypatch.setattr(figures, "_read", counted)
    scrape(client)
    client.get("/metrics", headers=callers.bearer(TOKEN))
    assert len(looks) == 1
