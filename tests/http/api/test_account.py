"""One's own account: profile, password, and a forgotten one."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient

from backend.core import clock
from backend.core.database import workspace_scope
from backend.core.work import Turn
from backend.models import User
from backend.services.auth import password_resets
from tests.http import callers
from tests.http.api.test_auth import actions, login


def test_the_profile_changes_field_by_field(client: FlaskClient) -> None:
    headers = callers.signed_in(callers.member())
    body = client.patch("/api/auth/me", json={"locale": "ko", "timezone": "Asia/Seoul"}, headers=headers).get_json()
    assert (body["locale"], body["timezone"]) == ("ko", "Asia/Seoul")
    body = client.patch("/api/auth/me", json={"name": "Minji"}, headers=headers).get_json()
    assert (body["name"], body["locale"]) == ("Minji", "ko")
    assert actions()[-1] == "profile.changed"
    assert client.patch("/api/auth/me", json={}, headers=headers).status_code == 200


@pytest.mark.parametrize("change", [{"locale": "xx"}, {"timezone": "Mars/Base"}, {"timezone": "../etc"}, {"name": " "}])
def test_a_profile_that_cannot_be_is_refused(client: FlaskClient, change: dict[str, str]) -> None:
    headers = callers.signed_in(callers.member())
    error = callers.error_of(client.patch("/api/auth/me", json=change, headers=headers), 422)
    assert [item["field"] for item in error["detail"]] == list(change)


def test_changing_the_password_ends_the_other_sign_ins(client: FlaskClient) -> None:
    person = callers.member()
    here, elsewhere = callers.signed_in(person), callers.signed_in(person)
    token = callers.with_token(person, ["read"])
    body = {"current_password": callers.PASSWORD, "new_password": "another horse battery"}
    assert client.post("/api/auth/password", json=body, headers=here).status_code == 200
    assert client.get("/api/auth/me", headers=here).status_code == 200
    assert client.get("/api/auth/me", headers=token).status_code == 200
    callers.error_of(client.get("/api/auth/me", headers=elsewhere), 401)
    callers.error_of(login(client, person.email), 401)
    assert login(client, person.email, "another horse battery").status_code == 200


def test_changing_the_password_takes_the_present_one_and_counts_failures(client: FlaskClient) -> None:
    headers = callers.signed_in(callers.member())
    body = {"current_password": "not the password", "new_password": "another horse battery"}
    for _ in range(10):
        error = callers.error_of(client.post("/api/auth/password", json=body, headers=headers), 401)
        assert error["code"] == "invalid_credentials"
    callers.error_of(client.post("/api/auth/password", json=body, headers=headers), 429)


def test_asking_for_a_reset_answers_alike_for_everybody(client: FlaskClient) -> None:
    person = callers.member()
    known = client.post("/api/auth/password-reset", json={"email": person.email})
    unknown = client.post("/api/auth/password-reset", json={"email": "nobody@example.com"})
    assert known.status_code == unknown.status_code == 202
    assert known.get_json() == unknown.get_json()
    assert actions(f"user:{person.id}") == []
    assert password_resets.answer_requests(Turn(60.0)) == 2
    assert actions(f"user:{person.id}") == ["password.reset_requested"]
    assert not password_resets.WORK.is_due()


def reset_link(person: User) -> str:
    admin = callers.member(workspace_id=person.workspace_id)
    with workspace_scope(person.workspace_id):
        token = password_resets.issue(callers.acting(admin), person.id).token
    assert token is not None
    callers.commit()
    return token


def confirm(client: FlaskClient, token: str, password: str = "a brand new password") -> Any:
    return client.post("/api/auth/password-reset/confirm", json={"token": token, "password": password})


def test_a_reset_link_works_once_and_signs_out_everywhere(client: FlaskClient) -> None:
    person = callers.member()
    headers = callers.signed_in(person)
    token = reset_link(person)
    callers.error_of(confirm(client, token, "short"), 422)
    assert confirm(client, token).status_code == 200
    callers.error_of(client.get("/api/auth/me", headers=headers), 401)
    assert login(client, person.email, "a brand new password").status_code == 200
    assert callers.error_of(confirm(client, token), 404)["code"] == "reset_token_unknown"


def test_a_reset_link_expires_and_a_new_one_replaces_it(client: FlaskClient) -> None:
    person = callers.member()
    first, second = reset_link(person), reset_link(person)
    callers.error_of(confirm(client, first), 404)
    clock.move(24 * 3600 + 1)
    callers.error_of(confirm(client, second), 404)
    callers.error_of(confirm(client, "made-up"), 404)


def test_somebody_disabled_cannot_reset(client: FlaskClient) -> None:
    person = callers.member()
    token = reset_link(person)
    person.disabled_at = clock.now()
    callers.commit()
    callers.error_of(confirm(client, token), 404)


def test_a_reset_forgives_the_failed_logins(client: FlaskClient) -> None:
    person = callers.member()
    for _ in range(10):
        login(client, person.email, "a wrong password")
    assert confirm(client, reset_link(person)).status_code == 200
    assert login(client, person.email, "a brand new password").status_code == 200
