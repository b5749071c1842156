"""Registering, signing in, refreshing, signing out, and one's own account."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import jwt as pyjwt
import pytest
import redis
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select

from backend.core import clock, config, events, passwords
from backend.core.database import db, system_scope
from backend.http import jwt
from backend.models import AuditEntry, Workspace
from backend.services.auth.events import WorkspaceCreated
from tests.http import callers

KIM = {"email": "Kim@Example.com", "password": "correct horse", "name": " Kim Minji ", "workspace": "Seaside Coffee"}


def register(client: FlaskClient, **changes: Any) -> dict[str, Any]:
    response = client.post("/api/auth/register", json=KIM | changes)
    assert response.status_code == 201, response.text
    body: dict[str, Any] = response.get_json()
    return body


def actions(subject: str | None = None) -> list[str]:
    """What the audit holds, in order."""
    query = select(AuditEntry.action).order_by(AuditEntry.id)
    if subject:
        query = query.where(AuditEntry.subject == subject)
    with system_scope("a test reads the audit"):
        return list(db.session.scalars(query))


def test_registering_opens_a_workspace_with_the_caller_as_admin(client: FlaskClient) -> None:
    heard: list[int] = []
    listener = events.subscribe(WorkspaceCreated, lambda event: heard.append(event.workspace_id))
    try:
        body = register(client)
    finally:
        events.unsubscribe(WorkspaceCreated, listener)
    user = body["user"]
    assert set(body) == {"access_token", "refresh_token", "user"}
    assert (user["email"], user["name"], user["role"]) == ("kim@example.com", "Kim Minji", "admin")
    assert (user["locale"], user["timezone"], user["is_owner"]) == ("en", "UTC", False)
    assert user["workspace"] == {"id": heard[0], "name": "Seaside Coffee"}
    me = client.get("/api/auth/me", headers=callers.bearer(body["access_token"]))
    assert me.get_json() == user
    assert actions() == ["workspace.created", "person.registered", "sign_in.started"]


def test_an_address_is_taken_once_however_it_is_spelt(client: FlaskClient) -> None:
    register(client)
    response = client.post("/api/auth/register", json=KIM | {"email": "KIM@EXAMPLE.COM", "workspace": "Another"})
    assert callers.error_of(response, 409)["code"] == "email_taken"
    with system_scope("a test counts"):
        assert db.session.scalar(select(func.count()).select_from(Workspace)) == 1


def test_two_registrations_of_one_address_at_once_make_one_person(app: Flask) -> None:
    together = threading.Barrier(2)

    def attempt() -> int:
        together.wait(60)
        return app.test_client().post("/api/auth/register", json=KIM).status_code

    with ThreadPoolExecutor(2) as pool:
        statuses = sorted(future.result() for future in [pool.submit(attempt), pool.submit(attempt)])
    assert statuses == [201, 409]


def test_registration_can_be_by_invitation_only(
    client: FlaskClient, settings: config.Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(config, "_current", settings.model_copy(update={"registration": "invite"}))
    assert callers.error_of(client.post("/api/auth/register", json=KIM), 403)["code"] == "registration_closed"


@pytest.mark.parametrize("email", ["kim", "kim@", "@example.com", "kim@localhost", "kim@exa mple.com", "a@b@c.com"])
def test_an_address_has_to_look_like_one(client: FlaskClient, email: str) -> None:
    error = callers.error_of(client.post("/api/auth/register", json=KIM | {"email": email}), 422)
    assert error["detail"][0]["field"] == "email"


def test_a_short_password_is_refused_by_name(client: FlaskClient) -> None:
    error = callers.error_of(client.post("/api/auth/register", json=KIM | {"password": "short"}), 422)
    assert (error["code"], error["detail"][0]["field"]) == ("password_too_short", "password")


def test_registrations_are_limited_generously(
    client: FlaskClient, settings: config.Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    limited = settings.model_copy(update={"rate_limits": "register=2/m"})
    monkeypatch.setattr(config, "_current", limited)
    for number in range(2):
        register(client, email=f"kim{number}@example.com")
    assert callers.error_of(client.post("/api/auth/register", json=KIM), 429)["code"] == "too_many_requests"


# --- signing in ---------------------------------------------------------------------------------------------


def login(client: FlaskClient, email: str | None, password: str = callers.PASSWORD) -> Any:
    return client.post("/api/auth/login", json={"email": email, "password": password})


def test_signing_in_takes_the_address_in_any_case(client: FlaskClient) -> None:
    person = callers.member()
    body = login(client, (person.email or "").upper()).get_json()
    assert body["user"]["id"] == person.id
    assert client.get("/api/people", headers=callers.bearer(body["access_token"])).status_code == 200


@pytest.mark.parametrize("email", ["person1@example.com", "nobody@example.com", "not an address", "x"])
def test_a_wrong_password_and_an_unknown_account_answer_alike(client: FlaskClient, email: str) -> None:
    callers.member()
    error = callers.error_of(login(client, email, "a wrong password"), 401)
    assert (error["code"], error["message"]) == ("invalid_credentials", "The e-mail address or the password is wrong.")


def test_a_person_without_a_password_cannot_sign_in(client: FlaskClient) -> None:
    person = callers.member(password_hash=None)
    callers.error_of(login(client, person.email), 401)


def test_somebody_disabled_is_told_so_only_with_the_password(client: FlaskClient) -> None:
    person = callers.member(disabled_at=clock.now())
    assert callers.error_of(login(client, person.email, "a wrong password"), 401)["code"] == "invalid_credentials"
    assert callers.error_of(login(client, person.email), 401)["code"] == "account_disabled"


def test_old_hashes_are_renewed_at_login(client: FlaskClient) -> None:
    person = callers.member()
    old = person.password_hash
    passwords.use(passwords.Passwords(memory_kib=128, passes=1))
    assert login(client, person.email).status_code == 200
    assert person.password_hash != old
    assert login(client, person.email).status_code == 200


def test_failed_logins_of_an_account_are_limited(client: FlaskClient) -> None:
    person, other = callers.member(), callers.member()
    for _ in range(10):
        assert login(client, person.email, "a wrong password").status_code == 401
    refused = login(client, person.email)
    assert callers.error_of(refused, 429)["code"] == "too_many_requests"
    assert login(client, other.email).status_code == 200
    clock.move(int(refused.headers["Retry-After"]) + 1)
    assert login(client, person.email).status_code == 200


def test_a_login_that_succeeds_forgives_the_failures(client: FlaskClient) -> None:
    person = callers.member()
    for _ in range(3):
        for _ in range(9):
            assert login(client, person.email, "a wrong password").status_code == 401
        assert login(client, person.email).status_code == 200


def test_failed_logins_are_limited_while_redis_is_away(
    client: FlaskClient, settings: config.Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(config, "_current", settings.model_copy(update={"redis_url": "redis://127.0.0.1:1/0"}))
    person = callers.member()
    statuses = [login(client, person.email, "a wrong password").status_code for _ in range(11)]
    assert statuses == [401] * 10 + [429]


def test_failures_stay_counted_when_redis_comes_back_empty(client: FlaskClient, valkey: redis.Redis) -> None:
    person = callers.member()
    for _ in range(10):
        login(client, person.email, "a wrong password")
    valkey.flushdb()
    callers.error_of(login(client, person.email), 429)


def test_failed_logins_of_an_address_are_limited(
    client: FlaskClient, settings: config.Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(config, "_current", settings.model_copy(update={"rate_limits": "login_address=3/15m"}))
    for number in range(3):
        callers.error_of(login(client, f"nobody{number}@example.com"), 401)
    callers.error_of(login(client, "nobody9@example.com"), 429)


def test_calls_are_limited_per_person(
    client: FlaskClient, settings: config.Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    headers, others = callers.signed_in(callers.member()), callers.signed_in(callers.member())
    monkeypatch.setattr(config, "_current", settings.model_copy(update={"rate_limits": "api=3/m"}))
    assert [client.get("/api/auth/me", headers=headers).status_code for _ in range(4)] == [200, 200, 200, 429]
    assert client.get("/api/auth/me", headers=others).status_code == 200


def test_calls_are_limited_per_workspace_whatever_tokens_it_has(
    client: FlaskClient, settings: config.Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    person = callers.member()
    tokens = [callers.with_token(person, ["read"]) for _ in range(4)]
    stranger = callers.signed_in(callers.member())
    monkeypatch.setattr(config, "_current", settings.model_copy(update={"rate_limits": "api=3/m,workspace_api=3/m"}))
    assert [client.get("/api/auth/me", headers=one).status_code for one in tokens] == [200, 200, 200, 429]
    assert client.get("/api/auth/me", headers=stranger).status_code == 200


# --- tokens -------------------------------------------------------------------------------------------------


def refresh(client: FlaskClient, token: str) -> Any:
    return client.post("/api/auth/refresh", headers=callers.bearer(token))


def test_refreshing_gives_two_new_tokens_and_keeps_the_sign_in(client: FlaskClient) -> None:
    first = register(client)
    second = refresh(client, first["refresh_token"]).get_json()
    assert set(second) == {"access_token", "refresh_token"}
    assert second["refresh_token"] != first["refresh_token"]
    for token in (first["access_token"], second["access_token"]):
        assert client.get("/api/auth/me", headers=callers.bearer(token)).status_code == 200
    assert refresh(client, second["refresh_token"]).status_code == 200


def test_a_reused_refresh_token_ends_the_whole_sign_in(client: FlaskClient) -> None:
    first = register(client)
    second = refresh(client, first["refresh_token"]).get_json()
    assert callers.error_of(refresh(client, first["refresh_token"]), 401)["code"] == "token_reused"
    assert callers.error_of(refresh(client, second["refresh_token"]), 401)["code"] == "token_revoked"
    error = callers.error_of(client.get("/api/auth/me", headers=callers.bearer(second["access_token"])), 401)
    assert error["code"] == "token_revoked"
    assert actions()[-1] == "sign_in.token_reused"


def test_another_sign_in_of_the_person_goes_on(client: FlaskClient) -> None:
    person = callers.member()
    one, other = callers.begin(person), callers.begin(person)
    token = callers.refresh_of(one)
    refresh(client, token)
    callers.error_of(refresh(client, token), 401)
    assert refresh(client, callers.refresh_of(other)).status_code == 200


def test_one_refresh_token_used_twice_at_once_counts_as_reuse(app: Flask) -> None:
    token = callers.refresh_of(callers.begin(callers.member()))
    together = threading.Barrier(2)

    def attempt() -> tuple[int, Any]:
        together.wait(60)
        response = app.test_client().post("/api/auth/refresh", headers=callers.bearer(token))
        return response.status_code, response.get_json().get("error", {}).get("code")

    with ThreadPoolExecutor(2) as pool:
        answers = [future.result() for future in [pool.submit(attempt), pool.submit(attempt)]]
    assert sorted(answers, key=str) == [(200, None), (401, "token_reused")]


@pytest.mark.parametrize("which", ["access", "personal"])
def test_only_a_refresh_token_refreshes(client: FlaskClient, which: str) -> None:
    person = callers.member()
    headers = callers.signed_in(person) if which == "access" else callers.with_token(person, ["read", "write"])
    callers.error_of(client.post("/api/auth/refresh", headers=headers), 401)


def test_an_access_token_lives_an_hour_and_a_sign_in_thirty_days_from_its_last_refresh(client: FlaskClient) -> None:
    tokens = register(client)
    clock.move(3590)
    assert client.get("/api/auth/me", headers=callers.bearer(tokens["access_token"])).status_code == 200
    clock.move(11)
    error = callers.error_of(client.get("/api/auth/me", headers=callers.bearer(tokens["access_token"])), 401)
    assert error["code"] == "token_expired"
    for _ in range(3):
        clock.move(29 * 86400)
        tokens = refresh(client, tokens["refresh_token"]).get_json()
    assert client.get("/api/auth/me", headers=callers.bearer(tokens["access_token"])).status_code == 200
    clock.move(31 * 86400)
    assert callers.error_of(refresh(client, tokens["refresh_token"]), 401)["code"] == "token_expired"


def test_tokens_hold_nothing_but_ids_and_pins(client: FlaskClient) -> None:
    body = register(client)
    claims = pyjwt.decode(body["access_token"], options={"verify_signature": False})
    assert set(claims) == {"sub", "sid", "jti", "type", "iss", "aud", "iat", "exp", "fresh"}
    assert (claims["iss"], claims["aud"], claims["type"]) == (jwt.ISSUER, jwt.AUDIENCE, "access")
    assert pyjwt.get_unverified_header(body["access_token"])["alg"] == "HS256"


def test_credentials_are_taken_from_the_header_only(client: FlaskClient) -> None:
    token = callers.signed_in(callers.member())["Authorization"].removeprefix("Bearer ")
    client.set_cookie("access_token_cookie", token)
    callers.error_of(client.get("/api/auth/me", query_string={"jwt": token, "access_token": token}), 401)


def test_signing_out_ends_both_tokens_at_once(client: FlaskClient) -> None:
    tokens = register(client)
    headers = callers.bearer(tokens["access_token"])
    assert client.post("/api/auth/logout", headers=headers).get_json()["status"] == "success"
    assert callers.error_of(client.get("/api/auth/me", headers=headers), 401)["code"] == "token_revoked"
    assert callers.error_of(refresh(client, tokens["refresh_token"]), 401)["code"] == "token_revoked"
    assert actions()[-1] == "sign_in.ended"


def test_a_token_that_was_verified_before_expires_and_is_revoked_all_the_same(client: FlaskClient) -> None:
    registered = register(client)
    headers = callers.bearer(registered["access_token"])
    for _ in range(2):
        assert client.get("/api/auth/me", headers=headers).status_code == 200
    # A verified access token does not become a refresh token.
    callers.error_of(refresh(client, registered["access_token"]), 401)
    clock.move(3601)
    assert callers.error_of(client.get("/api/auth/me", headers=headers), 401)["code"] == "token_expired"
    clock.reset()
    client.post("/api/auth/logout", headers=headers)
    assert callers.error_of(client.get("/api/auth/me", headers=headers), 401)["code"] == "token_revoked"


def test_a_role_counts_from_the_next_request_on(client: FlaskClient) -> None:
    person = callers.member()
    headers = callers.signed_in(person)
    assert client.get("/api/audit", headers=headers).status_code == 200
    person.role = "viewer"
    callers.commit()
    assert callers.error_of(client.get("/api/audit", headers=headers), 403)["code"] == "role_required"
