"""The scheduled check: what an answer means, what is kept at the bot, and when somebody is told."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from backend.channels.errors import ChannelError, OutcomeUnknown, Rejected, RetryLater, SenderDisabled
from backend.channels.provider import WebhookStatus
from backend.core import clock, events
from backend.core.database import db, system_scope
from backend.core.events import Event
from backend.core.work import Turn
from backend.models import Alert, Sender, Workspace
from backend.services import senders
from backend.services.bots import health
from backend.services.bots.events import HealthCheckFailed, HealthCheckRecovered
from backend.services.bots.health import Finding, judge, next_state
from tests.support import factories
from tests.support.bot_api import BotApi, Refusal, settings_with
from tests.support.talking import commit

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
HERE = "https://x.example/telegram/webhook"


def info(url: str = HERE, pending: int = 0, failed_ago: timedelta | None = None) -> WebhookStatus:
    at = None if failed_ago is None else NOW - failed_ago
    return WebhookStatus(url, pending, "Wrong response" if at else None, at)


@pytest.mark.parametrize(
    ("error", "webhook", "expected"),
    [
        (None, info(), Finding()),
        (None, info(url=""), Finding()),
        (None, info(pending=3), Finding()),
        (None, info(pending=3, failed_ago=timedelta(minutes=5)), Finding("webhook_failing")),
        # An old failure, one that was made up for, and somebody else's webhook are none.
        (None, info(pending=3, failed_ago=timedelta(hours=5)), Finding()),
        (None, info(pending=0, failed_ago=timedelta(minutes=5)), Finding()),
        (None, info("https://other.example", 9, timedelta(minutes=5)), Finding()),
        (SenderDisabled("token_refused"), None, Finding("token_refused")),
        (RetryLater(5, "rate_limited"), None, Finding("rate_limited", passing=True)),
        # A Bot API server of somebody's own that has no webhooks.
        (Rejected("method_unknown"), None, Finding()),
        (OutcomeUnknown("read_timeout"), None, Finding("read_timeout", passing=True)),
    ],
)
def test_what_an_answer_means(error: ChannelError | None, webhook: WebhookStatus | None, expected: Finding) -> None:
    assert judge(error, webhook, HERE, NOW) == expected


def test_what_may_pass_by_itself_counts_from_the_second_time() -> None:
    slip = Finding("read_timeout", passing=True)
    first = next_state({}, slip, NOW)
    second = next_state(first, slip, NOW + timedelta(minutes=5))
    third = next_state(second, slip, NOW + timedelta(minutes=10))
    well = next_state(third, Finding(), NOW + timedelta(minutes=15))
    assert [one["state"] for one in (first, second, third, well)] == ["ok", "failed", "failed", "ok"]
    assert second["since"] == third["since"] == (NOW + timedelta(minutes=5)).isoformat()
    assert (first["code"], well["code"], well["failures"]) == ("read_timeout", None, 0)
    assert next_state({}, Finding("token_refused"), NOW)["state"] == "failed"


@pytest.fixture
def told(app: Flask) -> Iterator[list[tuple[str, dict[str, Any]]]]:
    heard: list[tuple[str, dict[str, Any]]] = []

    def failed(event: HealthCheckFailed) -> None:
        heard.append(("failed", asdict(event)))

    def recovered(event: HealthCheckRecovered) -> None:
        heard.append(("recovered", asdict(event)))

    kinds: tuple[type[Event], ...] = (HealthCheckFailed, HealthCheckRecovered)
    before = {kind: events._subscribers.pop(kind, []) for kind in kinds}
    events.subscribe(HealthCheckFailed, failed)
    events.subscribe(HealthCheckRecovered, recovered)
    yield heard
    events._subscribers.update(before)


def fresh(bot: Sender) -> Sender:
    db.session.rollback()
    with system_scope("a test"):
        return db.session.get_one(Sender, bot.id, populate_existing=True)


def test_a_failure_is_kept_and_told_until_it_is_over(
    home: Workspace, api: BotApi, told: list[tuple[str, dict[str, Any]]]
) -> None:
    bot = factories.bot(home, name="deploy")
    commit()
    assert health.check_health(Turn(60.0)) == 1
    assert health.last_of(fresh(bot))["state"] == "ok"
    assert health.check_health(Turn(60.0)) == 0, "it was checked just now"
    api.answers["getMe"] = Refusal(401, "Unauthorized")
    clock.move(300)
    assert health.check_health(Turn(60.0)) == 1
    assert health.last_of(fresh(bot))["code"] == "token_refused"
    assert fresh(bot).disabled_code == "token_refused"
    clock.move(300)
    assert health.check_health(Turn(60.0)) == 1, "a refused bot still fails, without asking again"
    assert len(api.called("getMe")) == 2
    said = {"workspace_id": home.id, "sender_id": bot.id, "bot_name": "deploy"}
    assert told == [("failed", said | {"code": "token_refused"})] * 2
    api.answers["getMe"] = {"id": 1, "is_bot": True, "first_name": "Example", "username": "example_bot"}
    with system_scope("a test"):
        senders.probe(fresh(bot))
    clock.move(300)
    health.check_health(Turn(60.0))
    assert told[2:] == [("recovered", said)]


def test_a_bot_that_fails_is_an_alert_until_it_is_over(home: Workspace, api: BotApi) -> None:
    bot = factories.bot(home, name="deploy")
    factories.bot(home, name="health", chat_ids=("-1001234567890",))
    commit()
    api.answers["getMe"] = Refusal(401, "Unauthorized")
    health.check_health(Turn(60.0))
    with system_scope("a test"):
        alerts = {alert.title: alert.state for alert in db.session.scalars(select(Alert))}
    assert alerts[f"Bot {bot.name}: health check failed"] == "firing"


def test_one_slip_of_the_network_tells_nobody(
    home: Workspace, api: BotApi, told: list[tuple[str, dict[str, Any]]]
) -> None:
    bot = factories.bot(home)
    commit()
    with settings_with(telegram_api_url="http://127.0.0.1:9"):
        health.check_health(Turn(60.0))
        assert told == []
        assert health.last_of(fresh(bot))["code"] == "connect_failed"
        clock.move(300)
        health.check_health(Turn(60.0))
    assert [kind for kind, _ in told] == ["failed"]
    assert fresh(bot).is_active


def test_bots_that_a_person_switched_off_were_removed_or_only_lent_are_left_alone(home: Workspace, api: BotApi) -> None:
    factories.bot(home, is_active=False)
    factories.bot(home, deleted_at=clock.now(), is_active=False)
    factories.bot(home, source="arguments")
    factories.bot(home, source="configs")
    commit()
    assert health.check_health(Turn(60.0)) == 0
    assert api.calls == []


def test_those_that_waited_longest_are_first_and_the_time_is_bounded(home: Workspace, api: BotApi) -> None:
    older, newer = factories.bot(home), factories.bot(home)
    with system_scope("a test"):
        older.facts = {"health": {"state": "ok", "checked_at": (clock.now() - timedelta(hours=1)).isoformat()}}
        db.session.flush()
    commit()
    assert health._due() == [newer.id, older.id]
    assert health.check_health(Turn(-1.0)) == 0


def test_a_bot_that_goes_away_while_telegram_is_asked_is_left_alone(home: Workspace, api: BotApi) -> None:
    bot = factories.bot(home)
    commit()

    def removed(_params: dict[str, Any]) -> dict[str, Any]:
        return {"url": "", "pending_update_count": 0}

    api.answers["getWebhookStatus"] = removed
    assert health.check(bot.id) is True
    assert health.check(10**9) is False


def test_a_server_without_webhooks_makes_no_bot_fail(home: Workspace, api: BotApi) -> None:
    bot = factories.bot(home)
    commit()
    api.answers["getWebhookStatus"] = Refusal(404, "Not Found")
    health.check_health(Turn(60.0))
    assert health.last_of(fresh(bot))["state"] == "ok"
    assert fresh(bot).is_active
