"""Alertmanager's and Grafana's bodies as they are: their groups are alerts, their fingerprints items."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from backend.core import clock
from backend.core.database import db
from backend.core.errors import Invalid, NotFound
from backend.services import alerts
from backend.services.alerts import Attribution
from backend.services.alerts.ingest import monitoring_webhooks
from tests.services.alerts.conftest import buttons_of, text_of

PAYLOADS = Path(__file__).resolve().parents[2] / "payloads"
BY = Attribution("alertmanager", "token:1")


def body(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((PAYLOADS / f"{name}.json").read_text(encoding="utf-8"))
    return found


@pytest.fixture
def receive(room):
    def take(name: str | dict[str, Any], source: str | None = None, **options: Any) -> Any:
        given = body(name) if isinstance(name, str) else name
        where = source or (name.partition("/")[0] if isinstance(name, str) else "alertmanager")
        outcome = alerts.receive(where, given, BY, **options)
        db.session.commit()
        return outcome

    return take


def test_an_alertmanager_group_is_one_alert(room, receive):
    outcome = receive("alertmanager/firing")
    assert outcome.decision == "sent"
    alert, (item,) = room.alert(), room.items()
    assert (alert.source, alert.title, alert.severity) == ("alertmanager", "ProbeFailure", "critical")
    assert item.labels == {
        "alertname": "ProbeFailure", "instance": "https://server.example.org", "job": "http_checks",
        "monitor": "master", "severity": "critical",
    }  # fmt: skip
    text = room.texts()[0]
    assert "🔴 <b>ProbeFailure</b>" in text
    assert "BlackBox Probe Failure" in text
    assert "has been down for over 5m" in text
    assert "http://prometheus.example.org:9093" in buttons_of(room.messages()[0])
    assert any("g0.expr=probe_success" in button for button in buttons_of(room.messages()[0]))


def test_resolved_ends_it(room, receive):
    receive("alertmanager/firing")
    assert receive("alertmanager/resolved").decision == "resolved"
    assert room.alert().state == "resolved"
    assert len(room.messages()) == 1


def test_the_same_body_again_is_counted(room, receive):
    receive("alertmanager/firing")
    assert receive("alertmanager/firing").decision == "counted"
    assert len(room.messages()) == 1


def test_a_repetition_by_alertmanager_is_heard(room, receive, sent):
    receive("alertmanager/firing")
    sent(room.messages()[0])
    clock.move(4 * 3600)
    assert receive("alertmanager/firing").decision == "sent"
    assert len(room.messages()) == 2


def test_a_group_lists_all_and_says_what_was_left_out(room, receive):
    receive("alertmanager/group_truncated")
    text = room.texts()[0]
    assert "2 of 3" not in text, "what was over before it was ever told is not told"
    assert "https://other.example.org" in text
    assert "2 more that the sending system left out" in text


def test_a_recovery_of_one_of_several_makes_no_sound(room, receive, sent):
    both = body("alertmanager/group_truncated")
    both["alerts"][2]["status"] = "firing"
    receive(both)
    sent(room.messages()[0])
    clock.move(300)
    outcome = receive("alertmanager/group_truncated")
    assert outcome.decision == "counted"
    room.pass_time(20)
    assert len(room.messages()) == 1
    assert "2 of 3 still firing" in room.texts()[0]
    assert "✅ <b><a" in room.texts()[0]


def test_a_grafana_group_is_one_alert_with_its_addresses(room, receive):
    outcome = receive("grafana/firing")
    assert outcome.decision == "sent"
    text = room.texts()[0]
    assert '<a href="https://play.grafana.org/alerting/1afz29v7z/edit">High memory usage</a>' in text
    assert "B = 44.2394, C = 1" in text
    assert "team=blue" in text
    assert room.alert().title == "My Super Webhook"
    assert buttons_of(room.messages()[0])[0] == "https://play.grafana.org/"


def test_grafana_resolved_ends_it(room, receive):
    receive("grafana/firing")
    assert receive("grafana/resolved").decision == "resolved"


def test_the_addresses_of_a_single_alert_are_buttons_and_only_http_ones(room, receive):
    one = body("grafana/firing")
    one["alerts"] = one["alerts"][:1]
    one["alerts"][0]["panelURL"] = "javascript:alert(1)"
    one["alerts"][0]["dashboardURL"] = "https://play.grafana.org/d/1"
    receive(one, "grafana")
    addresses = [button for button in buttons_of(room.messages()[0]) if not button.startswith("alert:")]
    assert "https://play.grafana.org/d/1" in addresses
    assert "https://myrunbook.com/runbook/1234" in addresses
    assert all(address.startswith("https://") for address in addresses)


def test_two_groups_are_two_alerts(room, receive):
    receive("alertmanager/firing")
    other = body("alertmanager/firing")
    other["groupKey"] = '{}:{alertname="Other"}'
    receive(other)
    assert len(room.alerts()) == 2


def test_markup_in_annotations_is_text(room, receive):
    given = body("alertmanager/firing")
    given["alerts"][0]["annotations"]["summary"] = "<b>bold</b> & <script>"
    receive(given)
    assert "&lt;b&gt;bold&lt;/b&gt; &amp; &lt;script&gt;" in room.texts()[0]


def test_it_goes_to_the_bot_that_the_address_names(room, receive, home):
    from tests.support import factories

    factories.bot(home, name="ops").chat_ids = ("-8001",)
    db.session.flush()
    receive("alertmanager/firing", bot_name="ops")
    assert room.alert().bot_name == "ops"
    with pytest.raises(NotFound, match="bot_not_found"):
        receive("alertmanager/firing", bot_name="nobody")


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"alerts": []},
        {"alerts": None},
        {"alerts": "x"},
        {"alerts": [1, "x", None]},
        {"alerts": {"status": "firing"}},
    ],
    ids=str,
)
def test_a_body_without_alerts_is_refused(given):
    with pytest.raises(Invalid, match="no_alerts"):
        monitoring_webhooks.group_of("alertmanager", given, bot_name=None)


@pytest.mark.parametrize(
    "changes",
    [
        {"labels": None}, {"labels": {"alertname": 5, "x": {"deep": 1}}}, {"annotations": ["x"]}, {"fingerprint": None},
        {"fingerprint": 17}, {"status": 5}, {"generatorURL": 3}, {"values": {"B": "NaN", "C": None}}, {"values": [1]},
        {"labels": {"severity": "💥"}}, {"labels": {f"l{number}": "x" for number in range(500)}},
    ],
    ids=lambda changes: next(iter(changes)),
)  # fmt: skip
def test_what_is_missing_or_odd_in_an_alert_is_left_out(room, receive, changes):
    given = body("alertmanager/firing")
    given["alerts"][0] |= changes
    assert receive(given).decision == "sent"
    assert text_of(room.messages()[0])


@pytest.mark.parametrize(
    "field", ["groupLabels", "commonLabels", "groupKey", "receiver", "externalURL", "truncatedAlerts"]
)
@pytest.mark.parametrize("value", [None, 5, "x", [], {"a": 1}, -1, True], ids=str)
def test_what_is_odd_around_the_alerts_is_left_out(field, value):
    given = copy.deepcopy(body("alertmanager/firing"))
    given[field] = value
    group = monitoring_webhooks.group_of("alertmanager", given, bot_name=None)
    assert group.reports[0].title == "ProbeFailure"
    assert group.title


@pytest.mark.parametrize(
    ("labels", "severity"),
    [
        ({"severity": "critical"}, "critical"), ({"severity": "page"}, "critical"), ({"severity": "WARN"}, "warning"),
        ({"priority": "high"}, "error"), ({}, "warning"), ({"severity": "P1"}, "warning"),
        ({"severity": "1"}, "warning"), ({"severity": "Minor"}, "warning"), ({"severity": " notice "}, "info"),
        ({"severity": "none"}, "info"), ({"severity": "심각"}, "warning"),
    ],
)  # fmt: skip
def test_severities_in_our_words(labels, severity):
    assert monitoring_webhooks.severity_of(labels) == severity
