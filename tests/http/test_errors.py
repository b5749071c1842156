"""Whatever goes wrong is answered in one shape, and never with a 5xx for bad input."""

from __future__ import annotations

import io
import json

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import create_engine, func, select

from backend.core.database import db, system_scope
from backend.models import User
from tests.http import callers

JSON = {"Content-Type": "application/json"}
GOOD = {"email": "kim@example.com", "password": "correct horse", "name": "Kim", "workspace": "Seaside"}


def people_stored() -> int:
    with system_scope("a test counts"):
        return db.session.execute(select(func.count()).select_from(User)).scalar_one()


@pytest.mark.parametrize(
    "path", ["/nope", "/api/nope", "/api/people/-1", "/api/people/99999999999999999999", "/api/people/x"]
)
def test_an_unknown_address_is_404(client: FlaskClient, path: str) -> None:
    assert callers.error_of(client.get(path), 404)["code"] == "not_found"


def test_a_path_with_nul_is_404(client: FlaskClient) -> None:
    callers.error_of(client.get("/api/docs/%00"), 404)


def test_a_wrong_method_is_405_and_names_the_right_ones(client: FlaskClient) -> None:
    response = client.delete("/api/auth/login")
    assert callers.error_of(response, 405)["code"] == "method_not_allowed"
    assert "POST" in response.headers["Allow"]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b"\xff\xfe", 400),
        (b'{"email": NaN}', 400),
        (b'{"email": Infinity}', 400),
        (b"[" * 100_000 + b"]" * 100_000, 400),
        (b"[" * 40 + b"]" * 40, 400),
        (b'{"a":' * 40 + b"1" + b"}" * 40, 400),
        (b'{"n": ' + b"9" * 5000 + b"}", 400),
        (b'{"n": 9223372036854775808}', 422),
        (b'{"n": 1e400}', 422),
        (b'"text"', 422),
        (b"null", 422),
        (b"[]", 422),
        (b"5", 422),
        (b'{"x": "\\u0000"}', 422),
        (b'{"x": "\\ud800"}', 422),
        (b'{"\\ud800": 1}', 422),
        (b'{"x": ["deep", {"y": "a\\u0000b"}]}', 422),
    ],
)
def test_a_body_that_cannot_be_used_is_refused_and_changes_nothing(
    client: FlaskClient, body: bytes, status: int
) -> None:
    callers.error_of(client.post("/api/auth/register", data=body, headers=JSON), status)
    assert people_stored() == 0


@pytest.mark.parametrize("field", GOOD)
@pytest.mark.parametrize("value", [None, 5, 1.5, True, [], {}, "", "x\0y", "\ud800", "x" * 100_000, ["a"]])
def test_a_wrong_value_names_its_field(client: FlaskClient, field: str, value: object) -> None:
    response = client.post("/api/auth/register", data=json.dumps(GOOD | {field: value}), headers=JSON)
    detail = callers.error_of(response, 422)["detail"]
    assert [item["field"] for item in detail] == [field]
    assert all(set(item) == {"field", "code", "message"} for item in detail)
    assert people_stored() == 0


def test_errors_never_repeat_what_was_sent(client: FlaskClient) -> None:
    body = GOOD | {"password": "hunter2-hunter2", "email": ["hunter2-hunter2"]}
    assert "hunter2" not in client.post("/api/auth/register", json=body).get_data(as_text=True)


@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "a/b/c"]
)
def test_a_body_of_another_type_is_415(client: FlaskClient, content_type: str) -> None:
    response = client.post("/api/auth/register", data=json.dumps(GOOD), headers={"Content-Type": content_type})
    assert callers.error_of(response, 415)["code"] == "unsupported_media_type"


def test_a_body_without_a_type_is_415(client: FlaskClient) -> None:
    callers.error_of(client.post("/api/auth/register", data=json.dumps(GOOD)), 415)


def test_a_charset_beside_the_type_is_fine(client: FlaskClient) -> None:
    headers = {"Content-Type": "application/json; charset=utf-8"}
    assert client.post("/api/auth/register", data=json.dumps(GOOD), headers=headers).status_code == 201


def test_a_body_over_the_bound_is_413(client: FlaskClient) -> None:
    body = b'{"name": "' + b"x" * 1_100_000 + b'"}'
    assert callers.error_of(client.post("/api/auth/register", data=body, headers=JSON), 413)["code"] == "too_large"


def test_a_body_that_hides_its_length_is_413_too(client: FlaskClient) -> None:
    response = client.post(
        "/api/auth/register",
        input_stream=io.BytesIO(b'"' + b"x" * 1_100_000 + b'"'),
        headers={**JSON, "Transfer-Encoding": "chunked"},
        environ_overrides={"wsgi.input_terminated": True},
    )
    callers.error_of(response, 413)


def test_an_unexpected_error_shows_nothing_of_itself(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken() -> None:
        raise LookupError("the secret inside")

    monkeypatch.setattr("backend.services.health.readiness", broken)
    response = client.get("/health/ready", headers={"X-Request-ID": "find-me"})
    assert callers.error_of(response, 500)["code"] == "internal_error"
    assert "secret" not in response.get_data(as_text=True)
    assert response.headers["X-Request-ID"] == "find-me"
    assert any("unexpected_error" in record.getMessage() for record in caplog.records)


def test_a_database_that_is_away_is_503(app: Flask, client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    headers = callers.signed_in(callers.member())
    address = db.engine.url.set(host="127.0.0.1", port=1)
    monkeypatch.setitem(db.engines, None, create_engine(address, connect_args={"connect_timeout": 1}))
    db.session.remove()
    response = client.get("/api/people", headers=headers)
    assert callers.error_of(response, 503)["code"] == "database_unavailable"


def test_a_slash_at_the_end_makes_no_difference(client: FlaskClient) -> None:
    assert client.get("/health/").status_code == client.get("/health").status_code == 200
    callers.error_of(client.get("/api/people/"), 401)


def test_an_upload_has_to_be_a_form_with_a_plain_name(client: FlaskClient) -> None:
    headers = callers.signed_in(callers.member())
    callers.error_of(client.post("/api/files", json={"file": "x"}, headers=headers), 415)
    callers.error_of(client.post("/api/files", data={"file": "not a file"}, headers=headers), 422)
    form = {"other": (io.BytesIO(b"x"), "a.txt")}
    error = callers.error_of(client.post("/api/files", data=form, headers=headers), 422)
    assert error["detail"][0]["field"] == "file"
