"""Alerts over HTTP: what a program gets to know, and what it is told when it asks for something that cannot be."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from backend.core import clock
from backend.core.database import db, system_scope
from backend.models import AuditEntry, User
from tests.http import callers, holdings, routes
from tests.support import factories
from tests.support.fake_channel import FakeChannel

PAYLOADS = Path(__file__).resolve().parents[2] / "payloads"


@pytest.fixture
def operator(app) -> User:
    FakeChannel(part_chars=4096).install()
    person = callers.member(role="operator", name="Ada")
    holdings.default_bot(person)
    bot = factories.bot(holdings.home(person), name="alerts")
    bot.chat_ids = ("-2001",)
    callers.commit()
    return person


@pytest.fixture
def call(client: FlaskClient, operator: User):
    headers = callers.signed_in(operator)

    def send(method: str, path: str, body: Any = None, **query: Any) -> Any:
        return client.open(path, method=method, json=body, query_string=query, headers=headers)

    return send


DISK = {"title": "Disk full", "message": "84 %", "severity": "critical", "labels": {"host": "db-1"}}


def test_an_alert_from_the_first_report_to_its_end(call):
    answer = call("POST", "/api/alerts", DISK)
    assert answer.status_code == 202
    accepted = answer.get_json()
    assert (accepted["decision"], accepted["level"], accepted["count"]) == ("sent", "database", 1)
    again = call("POST", "/api/alerts/", DISK).get_json()
    assert (again["decision"], again["reason"], again["count"]) == ("counted", "throttled", 2)
    alert_id = accepted["alert_id"]
    shown = call("GET", f"/api/alerts/{alert_id}").get_json()
    assert (shown["state"], shown["count"], shown["next"]["what"]) == ("firing", 2, "resolve")
    assert [said["role"] for said in shown["messages"]] == ["route"]
    assert [step["what"] for step in shown["history"]] == ["notified", "opened"]
    acked = call("POST", f"/api/alerts/{alert_id}/ack").get_json()
    assert (acked["state"], acked["by_name"]) == ("acknowledged", "Ada")
    assert "unacknowledge" in [step["what"] for step in acked["upcoming"]]
    snoozed = call("POST", f"/api/alerts/{alert_id}/snooze", {"seconds": 600}).get_json()
    assert (snoozed["next"]["what"], snoozed["next"]["reason"]) == ("wake", "snooze_ends")
    ended = call("POST", f"/api/alerts/{alert_id}/resolve", {}).get_json()
    assert ended["next"] == {"what": "nothing", "at": None, "reason": "resolved"}
    error = callers.error_of(call("POST", f"/api/alerts/{alert_id}/ack"), 409)
    assert error["code"] == "alert_resolved"
    assert call("POST", f"/api/alerts/{alert_id}/reopen").get_json()["state"] == "firing"


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"bot_name": "nobody"}, 404, "bot_not_found"),
        ({"bot_name": "mute"}, 422, "no_chats"),
        ({"bot_name": "theirs"}, 404, "bot_not_found"),
        ({"photo": {"file_id": 99}}, 404, "file_not_found"),
        ({"photo": "http://10.0.0.1/graph.png"}, 422, "invalid"),
        ({"photo": "ftp://example.com/a"}, 422, "invalid"),
        ({"photo": "https://example.com/a.png", "document": "https://example.com/b"}, 422, "attachment_ambiguous"),
        ({"severity": "!"}, 422, "invalid"),
        ({"chat_ids": ["nobody at all"]}, 422, "invalid"),
        ({"labels": {"a b": "c"}}, 422, "invalid"),
        ({"title": "", "message": ""}, 422, "invalid"),
    ],
)
def test_what_cannot_be_done_is_a_clear_refusal_that_changes_nothing(call, operator, changes, status, code):
    factories.bot(holdings.home(operator), name="mute")
    factories.bot(factories.workspace(), name="theirs").chat_ids = ("-9",)
    callers.commit()
    call("GET", "/api/alerts")
    before = routes.fingerprint()
    error = callers.error_of(call("POST", "/api/alerts", DISK | changes), status)
    assert error["code"] == code
    assert routes.fingerprint() == before


def test_an_oversized_photo_is_refused(call, operator):
    from backend.models import StoredFile

    file = StoredFile(
        workspace_id=operator.workspace_id, key="k", filename="a.png", mime="image/png", size=11 * 1024 * 1024,
        sha256="0", created_at=clock.now(),
    )  # fmt: skip
    with system_scope("a test's file"):
        db.session.add(file)
        db.session.commit()
    error = callers.error_of(call("POST", "/api/alerts", DISK | {"photo": {"file_id": file.id}}), 413)
    assert error["code"] == "file_too_large"
    assert call("GET", "/api/alerts").get_json()["alerts"] == []


def test_a_file_follows_the_alert(call, operator):
    file_id = holdings.file(operator)
    callers.commit()
    accepted = call("POST", "/api/alerts", DISK | {"document": {"file_id": file_id}}).get_json()
    said = call("GET", f"/api/alerts/{accepted['alert_id']}").get_json()["messages"]
    assert [one["role"] for one in said] == ["attachment", "route"]


@pytest.mark.parametrize(
    ("query", "titles"),
    [
        ({}, ["Deploy finished", "Disk full"]),
        ({"state": "open"}, ["Deploy finished", "Disk full"]),
        ({"state": "resolved"}, []),
        ({"state": "undelivered"}, []),
        ({"severity": "critical"}, ["Disk full"]),
        ({"label": "host=db-1"}, ["Disk full"]),
        ({"label": "host=db-2"}, []),
        ({"label": ["host=db-1", "severity=critical"]}, ["Disk full"]),
        ({"label": ["host=db-1", "severity=info"]}, []),
        ({"label": ["severity=info", "host=db-1"]}, []),
        ({"label": ["host=db-1", "host=db-2"]}, []),
        ({"q": "deploy"}, ["Deploy finished"]),
        ({"q": "84 %"}, ["Disk full"]),
        ({"q": "%"}, ["Disk full"]),
        ({"mine": "true"}, []),
        ({"bot_name": "ALERTS"}, ["Deploy finished", "Disk full"]),
    ],
)
def test_filters(call, query, titles):
    call("POST", "/api/alerts", DISK)
    call("POST", "/api/alerts", {"title": "Deploy finished", "severity": "info"})
    found = call("GET", "/api/alerts", **query).get_json()["alerts"]
    assert [alert["title"] for alert in found] == titles


def test_pages(call):
    for number in range(3):
        call("POST", "/api/alerts", {"title": f"Alert {number}"})
    first = call("GET", "/api/alerts", limit=2).get_json()
    rest = call("GET", "/api/alerts", limit=2, cursor=first["next_cursor"]).get_json()
    assert [alert["title"] for alert in [*first["alerts"], *rest["alerts"]]] == ["Alert 2", "Alert 1", "Alert 0"]
    assert rest["next_cursor"] is None


@pytest.mark.parametrize("source", ["alertmanager", "grafana"])
def test_a_monitoring_system_sends_with_a_personal_token(client, operator, source):
    headers = callers.with_token(operator, ["write"])
    for name, decision in (("firing", "sent"), ("firing", "counted"), ("resolved", "resolved")):
        body = json.loads((PAYLOADS / source / f"{name}.json").read_text(encoding="utf-8"))
        answer = client.post(f"/api/alerts/{source}?bot_name=alerts", json=body, headers=headers)
        assert (answer.status_code, answer.get_json()["decision"]) == (202, decision)


BROKEN = [
    (b"\\u0000", ["nul_character"]),
    (b"\\ud83d", ["half_surrogate"]),
    (b"caf\xe9", ["invalid_utf8"]),
    (b"\x00", ["nul_character"]),
    (b'", "count": 99999999999999999999, "x": "', ["large_integer"]),
    (b'", "value": 1e999, "x": "', ["number_not_finite"]),
]


@pytest.mark.parametrize("source", ["alertmanager", "grafana"])
@pytest.mark.parametrize(("piece", "codes"), BROKEN)
def test_what_a_monitoring_system_cannot_mend_is_taken_and_noted(client, operator, source, piece, codes):
    headers = callers.with_token(operator, ["write"]) | {"Content-Type": "application/json"}
    raw = (
        b'\xef\xbb\xbf{"groupKey": "g", "alerts": [{"status": "firing", "labels": {"alertname": "Disk"},'
        b' "annotations": {"description": "Before%bafter"}}]}' % piece
    )
    for _ in range(2):
        answer = client.post(f"/api/alerts/{source}", data=raw, headers=headers)
        assert answer.status_code == 202
        given = answer.get_json()
        assert given["repaired"] == sorted(["byte_order_mark", *codes])
    shown = client.get(f"/api/alerts/{given['alert_id']}", headers=callers.signed_in(operator)).get_json()
    assert shown["first_items"][0]["body"].startswith("Before")
    noted = [one["detail"] for one in shown["history"] if one["what"] == "repaired"]
    assert noted == [{"code": ", ".join(given["repaired"])}], "once, by code"
    with system_scope("test"):
        kept = db.session.scalars(select(AuditEntry).where(AuditEntry.action == "alert.repaired")).all()
        assert [one.detail["codes"] for one in kept] == [given["repaired"]]


def test_a_report_of_eight_megabytes_and_of_too_many_alerts_is_taken(client, operator):
    headers = callers.with_token(operator, ["write"])
    one = {"status": "firing", "annotations": {"description": "x" * 15_000}}
    body = {"groupKey": "large", "alerts": [one | {"labels": {"alertname": "Disk", "n": str(n)}} for n in range(500)]}
    answer = client.post("/api/alerts/alertmanager", json=body, headers=headers)
    assert (answer.status_code, answer.get_json()["count"], answer.get_json()["repaired"]) == (202, 500, [])
    many = [{"status": "firing", "labels": {"alertname": "Disk", "n": str(n)}} for n in range(2010)]
    answer = client.post("/api/alerts/alertmanager", json={"groupKey": "many", "alerts": many}, headers=headers)
    assert (answer.status_code, answer.get_json()["repaired"]) == (202, ["alerts_left_out"])
    shown = client.get(f"/api/alerts/{answer.get_json()['alert_id']}", headers=callers.signed_in(operator)).get_json()
    assert (shown["items"], shown["more"]) == (2000, 10)
    large = {"alerts": [one] * 1000}
    callers.error_of(client.post("/api/alerts/grafana", json=large, headers=headers), 413)


@pytest.mark.parametrize("kind", ["text/plain", "application/octet-stream", "", "application/x-www-form-urlencoded"])
def test_a_monitoring_systems_content_type_does_not_matter(client, operator, kind):
    headers = callers.with_token(operator, ["write"]) | ({"Content-Type": kind} if kind else {})
    raw = b'{"alerts": [{"labels": {"alertname": "Disk"}}]}'
    assert client.post("/api/alerts/grafana", data=raw, headers=headers).status_code == 202


def test_a_monitoring_system_without_credentials_is_refused(client, operator):
    callers.error_of(client.post("/api/alerts/alertmanager", json={"alerts": [{}]}), 401)


def test_silences_are_made_previewed_changed_and_ended(call):
    call("POST", "/api/alerts", DISK)
    matchers = [{"label": "host", "op": "=~", "value": "db-.*"}]
    preview = call("POST", "/api/alerts/silences/preview", {"matchers": matchers}).get_json()
    assert (preview["alert_count"], preview["item_count"], preview["untouched_count"]) == (1, 1, 0)
    assert preview["alerts"][0]["title"] == "Disk full"
    made = call("POST", "/api/alerts/silences", {"matchers": matchers, "seconds": 3600, "comment": "Planned"})
    assert made.status_code == 201
    silence = made.get_json()
    assert (silence["state"], silence["by_name"]) == ("active", "Ada")
    assert (
        call("POST", "/api/alerts", {"title": "Disk full", "labels": {"host": "db-7"}}).get_json()["decision"]
        == "silenced"
    )
    changed = call("PATCH", f"/api/alerts/silences/{silence['id']}", {"comment": None}).get_json()
    assert (changed["comment"], changed["ends_at"]) == (None, silence["ends_at"])
    assert call("DELETE", f"/api/alerts/silences/{silence['id']}").get_json()["state"] == "expired"


def test_a_silence_has_its_counts_and_author_under_the_new_names_and_the_old(call):
    call("POST", "/api/alerts", DISK)
    matchers = [{"label": "host", "op": "=~", "value": "db-.*"}]
    call("POST", "/api/alerts/silences", {"matchers": matchers, "seconds": 3600})
    call("POST", "/api/alerts", DISK)
    (silence,) = call("GET", "/api/alerts/silences").get_json()["silences"]
    assert (silence["created_by_name"], silence["silencing_now"], silence["silenced_count"]) == ("Ada", 1, 1)
    assert [silence[old] for old in ("by_name", "hushing", "hushed")] == ["Ada", 1, 1]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"matchers": []}, "no_matchers"),
        ({"matchers": [{"label": "a", "op": "=~", "value": "("}]}, "bad_pattern"),
        ({"matchers": [{"label": "a", "op": "~", "value": "b"}]}, "unknown_operator"),
        ({"matchers": [{"label": "a", "op": "!=", "value": "b"}]}, "matches_everything"),
        ({"seconds": None}, "end_missing"),
        ({"seconds": None, "ends_at": "2020-01-01T00:00:00Z"}, "past_date"),
    ],
)
def test_a_silence_that_makes_no_sense_is_refused(call, changes, code):
    body = {"matchers": [{"label": "host", "op": "=", "value": "db-1"}], "seconds": 3600} | changes
    error = callers.error_of(call("POST", "/api/alerts/silences", body), 422)
    assert code in [fault["code"] for fault in error["detail"]]


def test_policies_are_for_admins_and_name_only_whom_there_is(client, call, operator):
    callers.error_of(call("POST", "/api/alerts/policies", {"name": "All"}), 403)
    admin = callers.signed_in(callers.member(holdings.home(operator)))
    body = {"name": "All", "group_by": ["service"], "escalate_after": 600, "escalate_user_ids": [operator.id]}
    made = client.post("/api/alerts/policies", json=body, headers=admin)
    assert made.status_code == 201
    again = client.post("/api/alerts/policies", json=body, headers=admin)
    assert callers.error_of(again, 409)["code"] == "policy_exists"
    for changes, status, code in (
        ({"escalate_user_ids": [99_999]}, 404, "person_not_found"),
        ({"escalate_bot_name": "nobody"}, 404, "bot_not_found"),
        ({"escalate_user_ids": []}, 422, "invalid"),
        ({"group_by": ["no label"]}, 422, "invalid"),
    ):
        answer = client.post("/api/alerts/policies", json=body | {"name": "Other"} | changes, headers=admin)
        assert callers.error_of(answer, status)["code"] == code
    listed = call("GET", "/api/alerts/policies").get_json()
    assert (len(listed["policies"]), listed["throttle_seconds"]) == (1, 60)


def test_a_template_is_used_by_its_name(call):
    made = call("POST", "/api/alerts/templates", {"name": "host_down", "title": "{host} is down", "body": "Since {at}"})
    assert made.status_code == 201
    taken = call("POST", "/api/alerts/templates", {"name": "host_down", "body": "x"})
    assert callers.error_of(taken, 409)["code"] == "template_exists"
    call("POST", "/api/alerts", {"template": "host_down", "vars": {"host": "db-1", "at": "13:04"}})
    assert call("GET", "/api/alerts").get_json()["alerts"][0]["title"] == "db-1 is down"


def test_the_same_request_twice_with_a_key_counts_once(client, operator):
    headers = callers.signed_in(operator) | {"Idempotency-Key": "k1"}
    first = client.post("/api/alerts", json=DISK, headers=headers)
    second = client.post("/api/alerts", json=DISK, headers=headers)
    assert first.get_json() == second.get_json()
    assert second.headers["Idempotent-Replayed"] == "true"


def test_alerts_have_a_limit_of_their_own(client, operator, settings, monkeypatch):
    from backend.core import config

    monkeypatch.setattr(config, "_current", settings.model_copy(update={"rate_limits": "api=1/m,alerts=3/m"}))
    headers = callers.signed_in(operator)
    answers = [client.post("/api/alerts", json=DISK, headers=headers).status_code for _ in range(4)]
    assert answers == [202, 202, 202, 429]


@pytest.mark.parametrize(
    ("word", "stored"), [("page", "critical"), (" HIGH ", "error"), ("none", "info"), (None, "warning")]
)
def test_a_severity_is_one_of_five(call, word, stored):
    body = DISK | {"severity": word} if word else {name: value for name, value in DISK.items() if name != "severity"}
    accepted = call("POST", "/api/alerts", body)
    assert accepted.status_code == 202
    assert call("GET", f"/api/alerts/{accepted.get_json()['alert_id']}").get_json()["severity"] == stored
    assert len(call("GET", "/api/alerts", severity=stored).get_json()["alerts"]) == 1
    if word:
        assert len(call("GET", "/api/alerts", severity=word).get_json()["alerts"]) == 1


@pytest.mark.parametrize("word", ["bad", "p1", "critical!", ""])
def test_another_severity_is_refused_and_named(call, word):
    for answer in (call("POST", "/api/alerts", DISK | {"severity": word}), call("GET", "/api/alerts", severity=word)):
        assert answer.status_code == 422
        assert answer.get_json()["error"]["detail"][0]["field"] == "severity"
        assert answer.get_json()["error"]["detail"][0]["code"] == "bad_severity"
    assert call("GET", "/api/alerts").get_json()["alerts"] == []


def test_the_document_lists_the_severities(client):
    document = client.get("/api/openapi.json").get_json()
    five = ["critical", "error", "warning", "info", "debug"]
    assert document["components"]["schemas"]["AlertIn"]["properties"]["severity"]["enum"] == five


@pytest.mark.parametrize("source", ["alertmanager", "grafana"])
@pytest.mark.parametrize(
    "digits",
    ["9223372036854775807", "9223372036854775808", "18446744073709551615", "-1" + "0" * 30, "1" + "0" * 5000],
    ids=lambda digits: digits[:20],
)
def test_a_group_key_is_an_integer_of_any_size(client, operator, source, digits):
    body = json.loads((PAYLOADS / source / "firing.json").read_text(encoding="utf-8")) | {"groupKey": "KEY"}
    raw = json.dumps(body).replace('"KEY"', digits)
    headers = callers.signed_in(operator) | {"Content-Type": "application/json"}
    for _ in range(2):
        answer = client.post(f"/api/alerts/{source}", data=raw, headers=headers)
        assert answer.status_code == 202
    other = client.post(f"/api/alerts/{source}", data=raw.replace(digits, digits + "1"), headers=headers)
    assert other.status_code == 202
    assert len(client.get("/api/alerts", headers=headers).get_json()["alerts"]) == 2


def test_elsewhere_an_integer_beyond_64_bits_is_still_refused(call):
    assert call("POST", "/api/alerts", DISK | {"vars": {"x": 2**64}}).status_code == 422


def test_an_alert_shows_when_it_began_and_ended_by_its_source(call):
    body = json.loads((PAYLOADS / "alertmanager/firing.json").read_text(encoding="utf-8"))
    alert_id = call("POST", "/api/alerts/alertmanager", body).get_json()["alert_id"]
    shown = call("GET", f"/api/alerts/{alert_id}").get_json()
    assert (shown["started_at"], shown["ended_at"]) == ("2023-02-06T13:08:45.828Z", None)
    assert shown["first_items"][0]["started_at"] == "2023-02-06T13:08:45.828Z"
    call("POST", "/api/alerts/alertmanager", json.loads((PAYLOADS / "alertmanager/resolved.json").read_text("utf-8")))
    assert call("GET", f"/api/alerts/{alert_id}").get_json()["ended_at"] == "2023-02-06T13:20:45.828Z"


def test_an_alert_without_a_source_that_says_so_began_when_it_was_opened(call):
    alert_id = call("POST", "/api/alerts", DISK).get_json()["alert_id"]
    shown = call("GET", f"/api/alerts/{alert_id}").get_json()
    assert shown["started_at"] == shown["opened_at"]
    call("POST", f"/api/alerts/{alert_id}/resolve", {})
    shown = call("GET", f"/api/alerts/{alert_id}").get_json()
    assert shown["ended_at"] == shown["resolved_at"]
