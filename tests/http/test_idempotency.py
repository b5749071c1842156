"""An `Idempotency-Key`: one effect and one answer, however often and however parallel."""

from __future__ import annotations

import io
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select

from backend.core import clock
from backend.core.database import db, system_scope
from backend.models import IdempotencyKey, PersonalToken, StoredFile
from backend.services import idempotency
from backend.services.auth import personal_tokens
from tests.http import callers

TOKENS = "/api/tokens"
BODY = {"name": "CI", "scopes": ["read"]}


@pytest.fixture
def headers(client: FlaskClient) -> dict[str, str]:
    return callers.signed_in(callers.member())


def issue(client: FlaskClient, headers: dict[str, str], key: str = "key-1", **changes: Any) -> Any:
    return client.post(TOKENS, json=BODY | changes, headers=headers | {"Idempotency-Key": key})


def stored(model: Any = PersonalToken) -> int:
    with system_scope("a test counts"):
        return db.session.execute(select(func.count()).select_from(model)).scalar_one()


def test_the_same_request_again_gets_the_same_answer_without_its_secret(
    client: FlaskClient, headers: dict[str, str]
) -> None:
    first, again = issue(client, headers), issue(client, headers)
    assert first.status_code == again.status_code == 201
    assert "Idempotent-Replayed" not in first.headers
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.get_json() == first.get_json() | {"token": None}
    assert stored() == 1
    with system_scope("a test"):
        kept = db.session.scalars(select(IdempotencyKey)).one()
    assert first.get_json()["token"] not in str(kept.answer)


def test_the_order_of_a_bodys_fields_does_not_matter(client: FlaskClient, headers: dict[str, str]) -> None:
    issue(client, headers)
    spaced = b'{ "scopes": [ "read" ],\n "name": "CI" }'
    sent = headers | {"Idempotency-Key": "key-1", "Content-Type": "application/json"}
    assert client.post(TOKENS, data=spaced, headers=sent).headers["Idempotent-Replayed"] == "true"


def test_another_body_under_the_key_is_409(client: FlaskClient, headers: dict[str, str]) -> None:
    issue(client, headers)
    assert callers.error_of(issue(client, headers, name="Other"), 409)["code"] == "idempotency_mismatch"
    assert stored() == 1


def test_keys_are_per_workspace_actor_and_route(client: FlaskClient, headers: dict[str, str]) -> None:
    issue(client, headers)
    assert "Idempotent-Replayed" not in issue(client, callers.signed_in(callers.member())).headers
    assert "Idempotent-Replayed" not in issue(client, headers, key="key-2").headers
    kind = {"name": "order_received", "templates": {"en": "Hello"}}
    other = client.post("/api/notification-types", json=kind, headers=headers | {"Idempotency-Key": "key-1"})
    assert other.status_code == 201
    assert stored() == 3


def test_without_a_key_every_request_counts(client: FlaskClient, headers: dict[str, str]) -> None:
    for _ in range(2):
        assert client.post(TOKENS, json=BODY, headers=headers).status_code == 201
    assert stored() == 2


def test_a_key_counts_for_a_day(client: FlaskClient, headers: dict[str, str]) -> None:
    token = callers.with_token(callers.member(), ["write", "read"])
    kind = {"name": "order_received", "templates": {"en": "Hello"}}
    sent = token | {"Idempotency-Key": "day"}
    assert client.post("/api/notification-types", json=kind, headers=sent).status_code == 201
    clock.move(24 * 3600 - 300)
    assert client.post("/api/notification-types", json=kind, headers=sent).headers["Idempotent-Replayed"] == "true"
    clock.move(301)
    again = client.post("/api/notification-types", json=kind | {"name": "order_sent"}, headers=sent)
    assert again.status_code == 201
    assert "Idempotent-Replayed" not in again.headers


def test_a_refused_request_frees_its_key(client: FlaskClient, headers: dict[str, str]) -> None:
    callers.error_of(issue(client, headers, scopes=["nonsense"]), 422)
    assert stored(IdempotencyKey) == 0
    assert issue(client, headers).status_code == 201


@pytest.mark.parametrize("key", ["", "a b", "é", "k" * 256, "tab\t"])
def test_a_key_has_to_be_printable_and_short(client: FlaskClient, headers: dict[str, str], key: str) -> None:
    assert callers.error_of(issue(client, headers, key=key), 400)["code"] == "invalid_idempotency_key"


def test_an_upload_is_recognised_whatever_its_boundary(client: FlaskClient, headers: dict[str, str]) -> None:
    def upload(content: bytes) -> Any:
        sent = headers | {"Idempotency-Key": "file"}
        return client.post("/api/files", data={"file": (io.BytesIO(content), "a.txt")}, headers=sent)

    first, again = upload(b"some text\n"), upload(b"some text\n")
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert stored(StoredFile) == 1
    callers.error_of(upload(b"other text\n"), 409)


def test_two_at_once_have_one_effect_and_one_answer(app: Flask, headers: dict[str, str]) -> None:
    together = threading.Barrier(4)

    def attempt() -> tuple[int, int, str | None]:
        together.wait(60)
        response = issue(app.test_client(), headers)
        return response.status_code, response.get_json()["id"], response.headers.get("Idempotent-Replayed")

    with ThreadPoolExecutor(4) as pool:
        answers = [future.result() for future in [pool.submit(attempt) for _ in range(4)]]
    assert {answer[0] for answer in answers} == {201}
    assert len({answer[1] for answer in answers}) == 1
    assert sorted(str(answer[2]) for answer in answers) == ["None", "true", "true", "true"]
    assert stored() == 1


def test_a_first_request_that_hangs_is_409_for_the_second(
    app: Flask, headers: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(idempotency, "_WAIT", "100ms")
    started, go_on = threading.Event(), threading.Event()
    real = personal_tokens.issue

    def slow(*args: Any, **kwargs: Any) -> Any:
        started.set()
        assert go_on.wait(60)
        return real(*args, **kwargs)

    monkeypatch.setattr(personal_tokens, "issue", slow)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(lambda: issue(app.test_client(), headers).status_code)
        assert started.wait(60)
        error = callers.error_of(issue(app.test_client(), headers), 409)
        go_on.set()
        assert first.result() == 201
    assert error["code"] == "idempotency_in_progress"
    assert stored() == 1


def test_a_first_request_that_breaks_leaves_the_key_free(
    client: FlaskClient, headers: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_args: Any, **_kwargs: Any) -> Any:
        raise LookupError("broken")

    with monkeypatch.context() as patched:
        patched.setattr(personal_tokens, "issue", broken)
        callers.error_of(issue(client, headers), 500)
    assert stored(IdempotencyKey) == 0
    assert issue(client, headers).status_code == 201
