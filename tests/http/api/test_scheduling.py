"""The scheduler's status, history, trigger, pause and resume: for the owner of the instance."""

from __future__ import annotations

import pytest
from flask import Flask
from flask.testing import FlaskClient

from backend.core import work
from backend.services.auth.actor import JOBS_TRIGGER
from backend.services.housekeeping import retention
from tests.http import callers

JOB = "/api/admin/scheduler/jobs/retention"
TRIGGERS = [
    (method, f"{prefix}/scheduler/jobs/retention/trigger") for method in ("POST", "GET") for prefix in ("", "/api")
]


@pytest.fixture
def owner(app: Flask) -> dict[str, str]:
    return callers.signed_in(callers.member(is_owner=True))


def job_of(client: FlaskClient, owner: dict[str, str]) -> dict[str, object]:
    shown = client.get("/api/admin/scheduler/status", headers=owner).get_json()
    found: dict[str, object] = next(job for job in shown["jobs"] if job["id"] == "retention")
    return found


def test_the_status_lists_the_jobs(client: FlaskClient, owner: dict[str, str]) -> None:
    shown = client.get("/api/admin/scheduler/status", headers=owner).get_json()
    assert (shown["running"], shown["tick_age"]) == (False, None)
    assert shown["schedules"] == {"enabled": 0, "overdue": 0, "oldest_due_at": None}
    job = job_of(client, owner)
    assert job["schedule"] == {"kind": "interval", "cron": None, "interval_seconds": 3600, "timezone": "UTC"}
    assert (job["state"], job["paused"], job["last_run"], job["last_result"]) == ("idle", False, None, None)
    assert job["next_run_at"] is not None


@pytest.mark.parametrize(("method", "path"), TRIGGERS)
def test_a_token_with_the_scope_triggers_once_a_minute(
    client: FlaskClient, owner: dict[str, str], method: str, path: str
) -> None:
    person = callers.member(is_owner=True)
    headers = callers.with_token(person, [JOBS_TRIGGER])
    answer = client.open(path, method=method, headers=headers)
    assert answer.status_code == 202, answer.text
    run = answer.get_json()["run"]
    assert (answer.get_json()["job"], run["state"]) == ("retention", "queued")
    assert run["triggered_by"].startswith("token:")
    refused = client.open(path, method=method, headers=headers)
    assert callers.error_of(refused, 429)["code"] == "too_many_requests"
    assert 1 <= int(refused.headers["Retry-After"]) <= 60
    work.run_queue(retention.JOB.lane, 60)
    runs = client.get(f"{JOB}/history", headers=owner).get_json()["runs"]
    assert [(one["id"], one["state"], one["triggered_by"]) for one in runs] == [
        (run["id"], "succeeded", run["triggered_by"])
    ]
    assert job_of(client, owner)["last_result"] == "succeeded"


@pytest.mark.parametrize(("method", "path"), TRIGGERS)
def test_nobody_else_triggers(client: FlaskClient, method: str, path: str) -> None:
    admin = callers.member()
    refused = client.open(path, method=method, headers=callers.with_token(admin, [JOBS_TRIGGER]))
    assert callers.error_of(refused, 403)["code"] == "owner_required"
    person = callers.member(is_owner=True)
    refused = client.open(path, method=method, headers=callers.with_token(person, ["read", "write"]))
    assert callers.error_of(refused, 403)["code"] == "scope_missing"
    assert callers.error_of(client.open(path, method=method), 401)


def test_a_job_is_paused_and_resumed(client: FlaskClient, owner: dict[str, str]) -> None:
    paused = client.post(f"{JOB}/pause", headers=owner).get_json()
    assert (paused["state"], paused["paused"], paused["next_run_at"]) == ("paused", True, None)
    assert paused["paused_by"].startswith("user:")
    assert job_of(client, owner) == paused
    resumed = client.post(f"{JOB}/resume", headers=owner).get_json()
    assert (resumed["state"], resumed["paused"], resumed["paused_by"]) == ("idle", False, None)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/admin/scheduler/jobs/nothing/history"),
        ("POST", "/api/admin/scheduler/jobs/nothing/pause"),
        ("POST", "/scheduler/jobs/nothing/trigger"),
        ("GET", "/api/scheduler/jobs/nothing/trigger"),
    ],
)
def test_an_unknown_job_is_not_found(client: FlaskClient, owner: dict[str, str], method: str, path: str) -> None:
    assert callers.error_of(client.open(path, method=method, headers=owner), 404)["code"] == "job_not_found"
