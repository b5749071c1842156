"""A field that a call does not know is refused by name, wherever it stands, and nothing is changed."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from backend.http import openapi
from backend.models import User
from tests.http import callers, providers, routes
from tests.http.schemas import resolved

Place = tuple[str, ...]


@pytest.fixture(autouse=True)
def _telegram(app: Flask) -> Iterator[None]:
    with providers.answering():
        yield


@pytest.fixture
def admin(client: FlaskClient) -> User:
    return callers.member(is_owner=True)


@pytest.fixture
def headers(admin: User) -> dict[str, str]:
    return callers.signed_in(admin)


def objects_in(schema: dict[str, Any], document: dict[str, Any], place: Place = ()) -> Iterator[tuple[Place, set[str]]]:
    """Each object that a body may hold: where it stands (`*` is an item), and the names that it knows."""
    schema = resolved(schema, document)
    for several in ("anyOf", "oneOf"):
        for option in schema.get(several, ()):
            yield from objects_in(option, document, place)
    if schema.get("type") == "array":
        yield from objects_in(schema.get("items", {}), document, (*place, "*"))
    if isinstance(schema.get("additionalProperties"), dict):
        yield from objects_in(schema["additionalProperties"], document, (*place, "a-key"))
    if "properties" in schema:
        if schema.get("additionalProperties") is not True:
            yield place, set(schema["properties"])
        for name, inner in schema["properties"].items():
            yield from objects_in(inner, document, (*place, name))


def put(place: Place, value: dict[str, Any]) -> Any:
    """A body that has this value at this place, and nothing else."""
    for name in reversed(place):
        value = [value] if name == "*" else {name: value}  # type: ignore[assignment]
    return value


def test_a_misspelled_field_is_refused_at_every_depth_of_every_body(
    app: Flask, client: FlaskClient, admin: User, headers: dict[str, str]
) -> None:
    document = openapi.document(app)
    tried: list[str] = []
    for route in routes.walk(app):
        operation = document["paths"].get(openapi.path_of(route.rule), {}).get(route.method.lower(), {})
        content = operation.get("requestBody", {}).get("content", {}).get("application/json")
        if content is None:
            continue
        example = routes.example_of(route, admin)
        before = routes.fingerprint()
        for place, known in objects_in(content["schema"], document):
            name = max(known, key=lambda one: (len(one), one))
            wrong = name + "x"
            answer = routes.call(client, route, example, headers, json=put(place, {wrong: 1}))
            where = f"{route} {place}"
            error = callers.error_of(answer, 422)
            assert error["code"] == "unknown_field", (where, error)
            path = ".".join("0" if part == "*" else part for part in (*place, wrong))
            named = [one for one in error["detail"] if one["code"] == "unknown_field"]
            assert [(one["field"], one["nearest"]) for one in named] == [(path, name)], (where, named)
            assert name in error["message"], where
            tried.append(where)
        assert routes.fingerprint() == before, f"{route}: refused, and yet something changed"
    assert len(tried) > 50


def test_a_call_that_takes_no_body_takes_no_field(app: Flask, client: FlaskClient) -> None:
    document = openapi.document(app)
    tried = 0
    for route in routes.walk(app):
        operation = document["paths"].get(openapi.path_of(route.rule), {}).get(route.method.lower())
        if operation is None or route.method == "GET" or "requestBody" in operation or route.guard.any_body:
            continue
        caller = callers.member(is_owner=True)
        headers = {} if route.guard.is_public else callers.signed_in(caller)
        example = routes.example_of(route, caller)
        before = routes.fingerprint()
        answer = routes.call(client, route, example, headers, json={"note": "for the record"})
        assert callers.error_of(answer, 422)["code"] == "unknown_field", str(route)
        assert routes.fingerprint() == before, str(route)
        tried += 1
    assert tried > 20


@pytest.mark.parametrize(
    ("path", "body", "field", "nearest"),
    [
        ("/api/events", {"type": "post_success", "subjct": "post:1"}, "subjct", "subject"),
        ("/api/events", {"type": "post_success", "userId": 1}, "userId", "user_id"),
        (
            "/api/events",
            {"type": "post_success", "attachment": {"kind": "photo", "file-id": 1}},
            "attachment.file-id",
            "file_id",
        ),
        ("/api/alerts", {"title": "x", "sevrity": "critical"}, "sevrity", "severity"),
        ("/api/alerts", {"title": "x", "photo": {"uri": "https://example.com/a.png"}}, "photo.uri", "url"),
        ("/api/alerts", {"title": "x", "buttons": [{"text": "a", "href": "b", "url": "c"}]}, "buttons.0.href", None),
        (
            "/api/alerts/silences",
            {"seconds": 600, "matchers": [{"lable": "service", "label": "a", "value": "b"}]},
            "matchers.0.lable",
            "label",
        ),
        ("/api/posts", {"platform": "telegram", "target": {"chatid": "1"}}, "target.chatid", "chat_id"),
        (
            "/api/automation-rules",
            {"platforms": ["telegram"], "timing": {"kind": "cron", "time_zone": "UTC"}},
            "timing.time_zone",
            "timezone",
        ),
        (
            "/api/automation-rules",
            {
                "platforms": ["telegram"],
                "content": "Hello",
                "targets": {"telegarm": {}},
                "timing": {"kind": "cron", "cron": "0 9 * * *"},
            },
            "targets.telegarm",
            "telegram",
        ),
        (
            "/api/automation-rules",
            {"platforms": ["telegram"], "targets": {"telegram": {"bot": 1}}, "timing": {"kind": "cron"}},
            "targets.telegram.bot",
            "bot_id",
        ),
    ],
)
def test_the_nearest_name_is_told(
    client: FlaskClient, headers: dict[str, str], path: str, body: Any, field: str, nearest: str | None
) -> None:
    error = callers.error_of(client.post(path, json=body, headers=headers), 422)
    assert error["code"] == "unknown_field"
    [named] = [one for one in error["detail"] if one["code"] == "unknown_field"]
    assert (named["field"], named["nearest"]) == (field, nearest)
    if nearest is not None:
        assert nearest in error["message"]


def test_a_misspelled_field_that_is_needed_is_both(client: FlaskClient, headers: dict[str, str]) -> None:
    error = callers.error_of(client.post("/api/events", json={"tpye": "post_success"}, headers=headers), 422)
    assert {(one["field"], one["code"]) for one in error["detail"]} == {("type", "missing"), ("tpye", "unknown_field")}
    assert "Did you mean type?" in error["message"]


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/api/events", {"type": "post_success", "data": {"anything": {"at": ["all"]}}}, 202),
        ("/api/alerts", {"title": "x", "labels": {"anything": "a"}, "template": "{b}", "vars": {"b": {"c": 1}}}, 202),
        ("/api/alerts/alertmanager", {"version": "4", "alerts": [{"novelty": {}}], "anything": 1}, 202),
        ("/api/alerts/grafana", {"orgId": 1, "alerts": [{"labels": {}, "silenceURL": ""}], "anything": [1]}, 202),
        ("/api/notification-types/preview", {"templates": {"en": "{a.b}"}, "data": {"a": {"b": 1}}}, 200),
    ],
)
def test_what_belongs_to_others_is_open(
    client: FlaskClient, headers: dict[str, str], path: str, body: Any, status: int
) -> None:
    assert client.post(path, json=body, headers=headers).status_code == status


def test_a_form_with_a_field_too_many_is_refused(client: FlaskClient, headers: dict[str, str]) -> None:
    for name, value in (("flie", (io.BytesIO(b"text"), "b.txt")), ("caption", "A picture")):
        form = {"file": (io.BytesIO(b"text"), "a.txt"), name: value}
        answer = client.post("/api/files", data=form, headers=headers, content_type="multipart/form-data")
        error = callers.error_of(answer, 422)
        assert (error["code"], error["detail"][0]["field"]) == ("unknown_field", name)


def test_whom_a_call_is_about_is_not_passed_over_in_its_body(client: FlaskClient, headers: dict[str, str]) -> None:
    """A test message to somebody else must not go to the caller."""
    answer = client.post("/api/telegram/send-test-message", json={"user_id": 17}, headers=headers)
    error = callers.error_of(answer, 422)
    assert error["detail"][0]["nearest"] == "user_id"
    assert "query parameter" in error["message"]


@pytest.mark.parametrize("body", [b"", b"{}", b"null", b"[]", b"not json"])
def test_an_empty_body_is_no_field(client: FlaskClient, headers: dict[str, str], body: bytes) -> None:
    answer = client.post(
        "/api/telegram/unlink-account", data=body, headers=headers | {"Content-Type": "application/json"}
    )
    assert answer.status_code == 200


def test_a_long_or_broken_name_is_repeated_in_part(client: FlaskClient, headers: dict[str, str]) -> None:
    for name in ("x" * 5000, "한" * 300, "a\u200bb"):
        error = callers.error_of(client.post("/api/auth/login", json={name: 1}, headers=headers), 422)
        [named] = [one for one in error["detail"] if one["code"] == "unknown_field"]
        assert len(named["field"]) <= 100
        assert len(error["message"]) < 300


def test_unknown_query_parameters_stay_accepted(client: FlaskClient, headers: dict[str, str]) -> None:
    assert client.get("/api/alerts?utm_source=mail&limits=5", headers=headers).status_code == 200


def test_a_job_may_be_triggered_with_another_system_s_body(client: FlaskClient, headers: dict[str, str]) -> None:
    answer = client.post("/scheduler/jobs/retention/trigger", json={"fired": "by a cron service"}, headers=headers)
    assert answer.status_code == 202
