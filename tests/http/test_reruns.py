"""A request whose transaction PostgreSQL ended for another's sake is run again, and its caller hears nothing of it."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from psycopg.errors import DeadlockDetected
from sqlalchemy import func, select
from sqlalchemy.exc import OperationalError

from backend.core.database import db, system_scope
from backend.http import reruns
from backend.models import StoredFile, Tag
from backend.services.auth import audit
from tests.http import callers

Failing = Callable[[int], list[int]]


@pytest.fixture
def headers(client: FlaskClient) -> dict[str, str]:
    return callers.signed_in(callers.member())


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch, headers: dict[str, str]) -> Failing:
    """Has the first transactions that note something in the audit end in a deadlock, after they have written it."""

    def fail(times: int) -> list[int]:
        real, runs = audit.record, [0]

        def record(*arguments: Any, **options: Any) -> Any:
            noted = real(*arguments, **options)
            runs[0] += 1
            if runs[0] <= times:
                raise OperationalError("UPDATE", {}, DeadlockDetected("deadlock detected"))
            return noted

        monkeypatch.setattr(audit, "record", record)
        return runs

    return fail


def stored(model: Any) -> int:
    with system_scope("a test counts"):
        return db.session.execute(select(func.count()).select_from(model)).scalar_one()


def test_it_is_run_again_and_stored_once(client: FlaskClient, headers: dict[str, str], failing: Failing) -> None:
    runs = failing(2)
    answer = client.post("/api/tags", json={"name": "Guests"}, headers=headers)
    assert answer.status_code == 201, answer.text
    assert runs == [3]
    assert stored(Tag) == 1


def test_an_idempotency_key_goes_with_the_run_that_counts(
    client: FlaskClient, headers: dict[str, str], failing: Failing
) -> None:
    failing(1)
    sent = headers | {"Idempotency-Key": "one"}
    first, again = (client.post("/api/tags", json={"name": "Guests"}, headers=sent) for _ in range(2))
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert stored(Tag) == 1


def test_an_uploaded_file_is_read_from_its_beginning_again(
    client: FlaskClient, headers: dict[str, str], failing: Failing
) -> None:
    runs = failing(1)
    content = b"a content of some length"
    sent = {"file": (io.BytesIO(content), "a.txt")}
    made = client.post("/api/files", data=sent, headers=headers)
    assert made.status_code == 201, made.text
    assert runs[0] >= 2
    assert client.get(f"/api/files/{made.get_json()['id']}", headers=headers).data == content
    assert stored(StoredFile) == 1


def test_after_three_more_it_is_said(client: FlaskClient, headers: dict[str, str], failing: Failing) -> None:
    runs = failing(99)
    error = callers.error_of(client.post("/api/tags", json={"name": "Guests"}, headers=headers), 503)
    assert error["code"] == "database_unavailable"
    assert runs == [1 + reruns.MAX_RERUNS]
    assert stored(Tag) == 0
