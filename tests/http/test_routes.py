"""Every route, walked: who is let in, who is not, and that another workspace's objects do not exist."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterator
from functools import wraps
from typing import Any

import jwt as pyjwt
import pytest
from apiflask import APIFlask
from flask import Flask, current_app
from flask.testing import FlaskClient
from sqlalchemy import update

from backend.core import clock
from backend.core.database import db, system_scope, workspace_scope
from backend.http import guards, jwt
from backend.models import PersonalToken, SignIn, User
from backend.services.auth import people, sign_in
from backend.services.auth.actor import JOBS_TRIGGER, ROLES, SCOPES, reaches
from tests.http import callers, objects, providers, routes

OPEN = {
    "auth.register",
    "auth.login",
    "auth.refresh",
    "auth.request_password_reset",
    "auth.confirm_password_reset",
    "docs.asset",
    "docs.document",
    "docs.page",
    "docs.start",
    "health.alive",
    "health.ready",
    "meta.deauthorize",
    "meta.deauthorize_of",
    "meta.delete_data",
    "meta.delete_data_of",
    "metrics.read",
    "provider_webhooks.telegram_bot_by_id",
    "provider_webhooks.telegram_bot",
} | {
    f"provider_webhooks.{channel}{address}{method}"
    for channel in ("instagram", "messenger", "whatsapp")
    for address in ("", "_by_id")
    for method in ("", "_handshake")
}
"""All routes without credentials. A new one is added here on purpose or not at all."""


@pytest.fixture(autouse=True)
def _telegram(app: Flask) -> Iterator[None]:
    """A Telegram that answers: some operations ask it before they store anything."""
    with providers.answering():
        yield


def guarded(app: Flask) -> list[routes.Route]:
    return [route for route in routes.walk(app) if not route.guard.is_public]


def test_the_open_routes_are_these(app: Flask) -> None:
    assert {route.endpoint for route in routes.walk(app) if route.guard.is_public} == OPEN


def test_every_route_has_an_example_and_every_example_a_route(app: Flask) -> None:
    assert set(objects.EXAMPLES) == {route.endpoint for route in routes.walk(app)}


def test_a_route_without_a_guard_stops_the_start(app: Flask) -> None:
    bare = APIFlask("bare", static_folder=None, spec_path=None, docs_path=None)  # type: ignore[arg-type]
    bare.add_url_rule("/forgotten", "forgotten", lambda: "")
    with pytest.raises(RuntimeError, match="/forgotten"):
        guards.check_all(bare)


def test_a_guard_that_something_was_put_in_front_of_does_not_count(app: Flask) -> None:
    inner = guards.access()(lambda: "")

    @wraps(inner)
    def outer() -> Any:
        return inner()

    bare = APIFlask("bare", static_folder=None, spec_path=None, docs_path=None)  # type: ignore[arg-type]
    bare.add_url_rule("/covered", "covered", outer)
    with pytest.raises(RuntimeError, match="/covered"):
        guards.check_all(bare)


# --- credentials that do not count ---------------------------------------------------------------------------


def forged(
    person: User, begun_id: int, *, key: str | None = None, algorithm: str = "HS256", **claims: Any
) -> dict[str, str]:
    """A token made by hand: with the application's own key unless told otherwise, so that one thing alone is wrong."""
    now = datetime.datetime.now(datetime.UTC)
    body: dict[str, Any] = {
        "sub": str(person.id),
        "sid": begun_id,
        "jti": "j",
        "type": "access",
        "iss": jwt.ISSUER,
        "aud": jwt.AUDIENCE,
        "iat": now,
        "exp": now + datetime.timedelta(minutes=5),
        **claims,
    }
    body = {name: value for name, value in body.items() if value is not None}
    signing: Any = None if algorithm == "none" else (key or current_app.config["JWT_SECRET_KEY"])
    return callers.bearer(pyjwt.encode(body, signing, algorithm=algorithm))


def bad_credentials(person: User) -> dict[str, dict[str, str]]:
    """Headers by what is wrong with them."""
    begun = callers.begin(person)
    good = jwt.access_token(person.id, begun.id)
    head, body, signature = good.split(".")
    other = callers.member()
    ended = callers.begin(person)
    with workspace_scope(person.workspace_id):
        sign_in.end(ended.id, person.id)
    callers.commit()
    token = callers.with_token(person, ["read", "write"])["Authorization"]
    return {
        "nothing": {},
        "empty": {"Authorization": ""},
        "another scheme": {"Authorization": "Basic YTpi"},
        "no token": {"Authorization": "Bearer "},
        "not a token": callers.bearer("x.y.z"),
        "not even latin": {"Authorization": "Bearer ÿþ"},
        "very long": callers.bearer("a" * 6000),
        "deeply nested": callers.bearer(f"{head}.{'W1tb' * 900}.{signature}"),
        "changed signature": callers.bearer(f"{head}.{body}.{signature[:-4]}AAAA"),
        "no signature": callers.bearer(f"{head}.{body}."),
        "algorithm none": forged(person, begun.id, algorithm="none"),
        "another algorithm": forged(person, begun.id, algorithm="HS384"),
        "another key": forged(person, begun.id, key="another-key-of-more-than-32-characters"),
        "another issuer": forged(person, begun.id, iss="somebody"),
        "no issuer": forged(person, begun.id, iss=None),
        "another audience": forged(person, begun.id, aud="something"),
        "no audience": forged(person, begun.id, aud=None),
        "a refresh token": callers.bearer(callers.refresh_of(begun)),
        "another type": forged(person, begun.id, type="reset"),
        "no expiry": forged(person, begun.id, exp=None),
        "no id": forged(person, begun.id, jti=None),
        "no sign-in": forged(person, begun.id, sid=None),
        "a sign-in as text": forged(person, begun.id, sid=str(begun.id)),
        "an impossible sign-in": forged(person, begun.id, sid=2**70),
        "an impossible person": forged(person, begun.id, sub=str(2**70)),
        "somebody else's sign-in": forged(other, begun.id),
        "expired": forged(person, begun.id, exp=int(clock.unix()) - 1),
        "revoked": callers.bearer(jwt.access_token(person.id, ended.id)),
        "unknown personal token": callers.bearer("sbp_" + "x" * 43),
        "half a personal token": {"Authorization": token[:-1]},
    }


@pytest.mark.filterwarnings("ignore:The HMAC key")
def test_no_bad_credential_opens_any_route(app: Flask, client: FlaskClient) -> None:
    person = callers.member()
    credentials = bad_credentials(person)
    before = routes.fingerprint()
    for route in guarded(app):
        example = objects.Example(path=dict.fromkeys(_arguments(route), 1))
        for what, headers in credentials.items():
            response = routes.call(client, route, example, headers)
            assert response.status_code == 401, f"{route} with {what}: {response.status_code}"
            callers.check_shape(response)
    assert routes.fingerprint() == before


def _arguments(route: routes.Route) -> list[str]:
    return [piece.split(">")[0].rpartition(":")[2] for piece in route.rule.split("<")[1:]]


def revoke(person: User) -> None:
    with system_scope("a test"):
        db.session.execute(update(PersonalToken).values(revoked_at=clock.now()))
        db.session.execute(update(SignIn).values(revoked_at=clock.now()))


def disable(person: User) -> None:
    person.disabled_at = clock.now()


def pass_an_hour(person: User) -> None:
    clock.move(3601)


@pytest.mark.parametrize("kind", ["sign-in", "personal token"])
@pytest.mark.parametrize("spoil", [revoke, disable, pass_an_hour])
def test_what_was_good_stops_counting(
    app: Flask, client: FlaskClient, kind: str, spoil: Callable[[User], None]
) -> None:
    person = callers.member(is_owner=True)
    headers = (
        callers.signed_in(person)
        if kind == "sign-in"
        else callers.with_token(person, SCOPES, clock.now() + datetime.timedelta(hours=1))
    )
    assert client.get("/api/auth/me", headers=headers).status_code == 200
    spoil(person)
    callers.commit()
    for route in guarded(app):
        response = routes.call(client, route, objects.Example(path=dict.fromkeys(_arguments(route), 1)), headers)
        assert response.status_code == 401, str(route)


# --- roles and scopes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("role", ROLES)
def test_each_role_gets_exactly_what_is_its_own(app: Flask, client: FlaskClient, role: str) -> None:
    for route in guarded(app):
        person = callers.member(role=role, is_owner=route.guard.owner)
        example = routes.example_of(route, person)
        allowed = reaches(role, route.guard.role or ROLES[0])
        headers = callers.signed_in(person)
        before = routes.fingerprint() if not allowed else {}
        response = routes.call(client, route, example, headers)
        expected = example.status if allowed else 403
        assert response.status_code == expected, f"{route} as {role}: {response.get_data(as_text=True)[:300]}"
        if not allowed:
            callers.check_shape(response)
            assert routes.fingerprint() == before, f"{route} changed something"


def test_owner_routes_take_an_owner(app: Flask, client: FlaskClient) -> None:
    for route in guarded(app):
        if route.guard.owner:
            person = callers.member()
            response = routes.call(client, route, routes.example_of(route, person), callers.signed_in(person))
            assert callers.error_of(response, 403)["code"] == "owner_required"


def test_a_personal_token_needs_the_routes_scope(app: Flask, client: FlaskClient) -> None:
    for route in guarded(app):
        person = callers.member(is_owner=True)
        needed = route.guard.scope or ("read" if route.method == "GET" else "write")
        without = callers.with_token(person, [scope for scope in (*SCOPES,) if scope != needed])
        with_all = callers.with_token(person, SCOPES)
        example = routes.example_of(route, person)
        code = "scope_missing" if route.guard.tokens else "sign_in_required"
        assert callers.error_of(routes.call(client, route, example, without), 403)["code"] == code, str(route)
        response = routes.call(client, route, example, with_all)
        assert response.status_code == (example.status if route.guard.tokens else 403), str(route)


def test_a_token_loses_what_its_owners_role_loses(client: FlaskClient) -> None:
    admin = callers.member()
    person = callers.member(None, workspace_id=admin.workspace_id)
    headers = callers.with_token(person, [JOBS_TRIGGER, "people:act", "read", "write"])
    with workspace_scope(admin.workspace_id):
        people.change(callers.acting(admin), person.id, role="viewer")
    callers.commit()
    response = client.post("/api/events", json={"type": "post_success"}, headers=headers)
    assert callers.error_of(response, 403)["code"] == "role_required"


# --- another workspace --------------------------------------------------------------------------------------


def test_another_workspaces_objects_are_not_found_and_not_touched(app: Flask, client: FlaskClient) -> None:
    walked = 0
    for route in guarded(app):
        owner = callers.member(is_owner=True)
        example = routes.example_of(route, owner)
        if (not example.path and not example.foreign) or example.instance_wide:
            assert route.guard.owner or not example.instance_wide, f"{route} shows everybody what is the instance's"
            continue
        stranger = callers.member(is_owner=True)
        headers = callers.signed_in(stranger)
        before = routes.fingerprint()
        attempts: list[dict[str, Any]] = [{}] if example.path else []
        for changes in [*attempts, *example.foreign]:
            response = routes.call(client, route, example, headers, **changes)
            assert response.status_code == 404, f"{route} {changes}: {response.get_data(as_text=True)[:300]}"
            callers.check_shape(response)
            assert routes.fingerprint() == before, f"{route} changed something"
            walked += 1
    assert walked >= 15


def test_lists_show_only_ones_own_workspace(app: Flask, client: FlaskClient) -> None:
    for route in guarded(app):
        if route.method != "GET" or not route.endpoint.endswith(("listing", "list_types")):
            continue
        owner = callers.member()
        routes.example_of(route, owner)
        stranger = callers.member()
        headers = callers.signed_in(stranger)
        shown = routes.call(client, route, objects.Example(), headers).get_json()
        named = [value for name, value in shown.items() if name != "next_cursor"]
        assert len(named) == 1
        assert all(_of(item, stranger) for item in named[0]), (str(route), named)


def _of(item: dict[str, Any], stranger: User) -> bool:
    return item.get("actor") == f"user:{stranger.id}" or item.get("email") == stranger.email
