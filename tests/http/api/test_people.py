"""The people of a workspace, their tokens, and the audit."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from backend.core import clock
from backend.core.database import db, system_scope
from backend.models import PersonalToken, User
from tests.http import callers
from tests.support import factories

PEOPLE = "/api/people"
DISABLED = {"disabled": True}
TOKENS = "/api/tokens"


@pytest.fixture
def admin(client: FlaskClient) -> User:
    return callers.member()


@pytest.fixture
def headers(admin: User) -> dict[str, str]:
    return callers.signed_in(admin)


def colleague(admin: User, **values: Any) -> User:
    return callers.member(workspace_id=admin.workspace_id, **values)


def test_people_are_listed_by_the_page(client: FlaskClient, admin: User, headers: dict[str, str]) -> None:
    people = [admin.id, *(colleague(admin, role="viewer").id for _ in range(6))]
    callers.member()
    seen: list[int] = []
    cursor: str | None = None
    while True:
        query = {"limit": 3} | ({"cursor": cursor} if cursor else {})
        body = client.get(PEOPLE, query_string=query, headers=headers).get_json()
        seen += [person["id"] for person in body["people"]]
        cursor = body["next_cursor"]
        if cursor is None:
            break
    assert seen == people


def test_a_list_has_fifty_by_default_and_no_cursor_at_its_end(
    client: FlaskClient, admin: User, headers: dict[str, str]
) -> None:
    for number in range(50):
        factories.user(workspace_id=admin.workspace_id, email=None, external_user_id=str(number))
    callers.commit()
    body = client.get(PEOPLE, headers=headers).get_json()
    assert len(body["people"]) == 50
    last = client.get(PEOPLE, query_string={"cursor": body["next_cursor"]}, headers=headers).get_json()
    assert (len(last["people"]), last["next_cursor"]) == (1, None)


@pytest.mark.parametrize(
    "query",
    [
        {"limit": "0"},
        {"limit": "201"},
        {"limit": "x"},
        {"limit": ""},
        {"limit": "9" * 30},
        {"cursor": "x"},
        {"cursor": "é"},
        {"cursor": "=" * 100},
        {"cursor": "dXNlcnMrOi01"},
        {"cursor": "YXVkaXRfZW50cmllcy06Nw"},
        {"cursor": "a\0"},
        {"role": "king"},
    ],
)
def test_a_page_that_cannot_be_is_refused(client: FlaskClient, headers: dict[str, str], query: dict[str, str]) -> None:
    error = callers.error_of(client.get(PEOPLE, query_string=query, headers=headers), 422)
    assert [item["field"] for item in error["detail"]] == list(query)


def test_people_are_found_by_role_and_by_the_host_applications_id(
    client: FlaskClient, admin: User, headers: dict[str, str]
) -> None:
    viewer = colleague(admin, role="viewer", external_user_id="crm-7")
    for query in ({"role": "viewer"}, {"external_user_id": "crm-7"}):
        found = client.get(PEOPLE, query_string=query, headers=headers).get_json()["people"]
        assert [person["id"] for person in found] == [viewer.id]


def test_an_admin_changes_roles_and_the_audit_says_so(
    client: FlaskClient, admin: User, headers: dict[str, str]
) -> None:
    viewer = colleague(admin, role="viewer")
    body = client.patch(f"{PEOPLE}/{viewer.id}", json={"role": "operator"}, headers=headers).get_json()
    assert body["role"] == "operator"
    entry = client.get("/api/audit", headers=headers).get_json()["entries"][0]
    assert (entry["action"], entry["actor"], entry["subject"]) == (
        "person.role_changed",
        f"user:{admin.id}",
        f"user:{viewer.id}",
    )
    assert entry["detail"] == {"old": "viewer", "new": "operator"}
    assert entry["at"].endswith("Z")


def test_disabling_ends_everything_at_once_and_enabling_needs_a_new_sign_in(
    client: FlaskClient, admin: User, headers: dict[str, str]
) -> None:
    person = colleague(admin, role="operator")
    theirs, token = callers.signed_in(person), callers.with_token(person, ["read"])
    assert client.patch(f"{PEOPLE}/{person.id}", json={"disabled": True}, headers=headers).get_json()["disabled_at"]
    callers.error_of(client.get("/api/auth/me", headers=theirs), 401)
    assert callers.error_of(client.get("/api/auth/me", headers=token), 401)["code"] == "account_disabled"
    body = client.patch(f"{PEOPLE}/{person.id}", json={"disabled": False}, headers=headers).get_json()
    assert body["disabled_at"] is None
    callers.error_of(client.get("/api/auth/me", headers=theirs), 401)
    assert client.get("/api/auth/me", headers=token).status_code == 200


@pytest.mark.parametrize("change", [{"role": "operator"}, {"disabled": True}])
def test_the_last_admin_stays(
    client: FlaskClient, admin: User, headers: dict[str, str], change: dict[str, Any]
) -> None:
    colleague(admin, disabled_at=clock.now())
    colleague(admin, password_hash=None)
    path = f"{PEOPLE}/{admin.id}"
    assert callers.error_of(client.patch(path, json=change, headers=headers), 409)["code"] == "last_admin"
    colleague(admin)
    assert client.patch(path, json=change, headers=headers).status_code == 200


@pytest.mark.parametrize("change", [{"disabled": 1}, {"disabled": "yes"}, {"role": 5}, {"name": ""}])
def test_a_change_that_cannot_be_is_refused(
    client: FlaskClient, admin: User, headers: dict[str, str], change: dict[str, Any]
) -> None:
    person = colleague(admin, role="viewer")
    callers.error_of(client.patch(f"{PEOPLE}/{person.id}", json=change, headers=headers), 422)


@pytest.mark.parametrize("path", ["", "/password-reset"])
def test_an_admin_cannot_lay_hands_on_an_owner(
    client: FlaskClient, admin: User, headers: dict[str, str], path: str
) -> None:
    owner = colleague(admin, is_owner=True)
    address = f"{PEOPLE}/{owner.id}{path}"
    sent = client.post(address, headers=headers) if path else client.patch(address, json=DISABLED, headers=headers)
    assert callers.error_of(sent, 403)["code"] == "owner_required"


def test_a_reset_link_needs_an_address(client: FlaskClient, admin: User, headers: dict[str, str]) -> None:
    person = colleague(admin, role="viewer", email=None)
    response = client.post(f"{PEOPLE}/{person.id}/password-reset", headers=headers)
    assert callers.error_of(response, 409)["code"] == "no_email"


def test_a_reset_link_is_shown_once(client: FlaskClient, admin: User, headers: dict[str, str]) -> None:
    person = colleague(admin, role="viewer")
    address = f"{PEOPLE}/{person.id}/password-reset"
    first = client.post(address, headers=headers | {"Idempotency-Key": "k"}).get_json()
    assert first["link"].endswith(f"/reset-password?token={first['token']}")
    again = client.post(address, headers=headers | {"Idempotency-Key": "k"})
    assert again.status_code == 201
    assert again.get_json() == {"mailed": False, "link": None, "token": None, "expires_at": first["expires_at"]}


# --- personal tokens ----------------------------------------------------------------------------------------


def issue(client: FlaskClient, headers: dict[str, str], **changes: Any) -> Any:
    return client.post(TOKENS, json={"name": "CI", "scopes": ["read"]} | changes, headers=headers)


def test_a_token_is_shown_once_and_kept_as_a_hash(client: FlaskClient, headers: dict[str, str]) -> None:
    made = issue(client, headers).get_json()
    assert made["token"].startswith("sbp_")
    assert made["token"].startswith(made["prefix"])
    shown = client.get(f"{TOKENS}/{made['id']}", headers=headers).get_json()
    listed = client.get(TOKENS, headers=headers).get_json()["tokens"]
    assert listed == [shown]
    assert "token" not in shown
    with system_scope("a test"):
        stored = db.session.scalars(select(PersonalToken)).one()
    assert made["token"].encode() not in bytes(stored.token_hash)
    assert client.get("/api/auth/me", headers=callers.bearer(made["token"])).status_code == 200


def test_a_token_notes_its_last_use_coarsely(client: FlaskClient, headers: dict[str, str]) -> None:
    made = issue(client, headers).get_json()
    used = []
    for seconds in (0, 60, 300):
        clock.move(seconds)
        client.get("/api/auth/me", headers=callers.bearer(made["token"]))
        used.append(client.get(f"{TOKENS}/{made['id']}", headers=headers).get_json()["last_used_at"])
    assert used[0] == used[1] != used[2]


def test_a_revoked_token_stops_with_the_next_request(client: FlaskClient, headers: dict[str, str]) -> None:
    made = issue(client, headers).get_json()
    assert client.delete(f"{TOKENS}/{made['id']}", headers=headers).status_code == 204
    error = callers.error_of(client.get("/api/auth/me", headers=callers.bearer(made["token"])), 401)
    assert error["code"] == "token_revoked"
    callers.error_of(client.delete(f"{TOKENS}/{made['id']}", headers=headers), 404)
    assert client.get(TOKENS, headers=headers).get_json()["tokens"] == []


def test_a_token_expires(client: FlaskClient, headers: dict[str, str]) -> None:
    soon = (clock.now() + timedelta(minutes=5)).isoformat()
    made = issue(client, headers, expires_at=soon).get_json()
    bearer = callers.bearer(made["token"])
    assert client.get("/api/auth/me", headers=bearer).status_code == 200
    clock.move(301)
    assert callers.error_of(client.get("/api/auth/me", headers=bearer), 401)["code"] == "token_expired"


@pytest.mark.parametrize(
    "changes",
    [
        {"scopes": []},
        {"scopes": ["everything"]},
        {"scopes": "read"},
        {"name": ""},
        {"expires_at": "2001-01-01T00:00:00Z"},
        {"expires_at": "2030-01-01T00:00:00"},
        {"expires_at": "soon"},
        {"expires_at": "99999-01-01T00:00:00Z"},
    ],
)
def test_a_token_that_cannot_be_is_refused(
    client: FlaskClient, headers: dict[str, str], changes: dict[str, Any]
) -> None:
    error = callers.error_of(issue(client, headers, **changes), 422)
    assert error["detail"][0]["field"].split(".")[0] in changes


def test_nobody_gives_away_more_than_they_have(client: FlaskClient, admin: User) -> None:
    viewer = callers.signed_in(colleague(admin, role="viewer"))
    error = callers.error_of(issue(client, viewer, scopes=["read", "people:act"]), 403)
    assert error["code"] == "scope_missing"


def test_a_token_makes_no_tokens(client: FlaskClient, admin: User) -> None:
    token = callers.with_token(admin, ["read", "write"])
    assert callers.error_of(issue(client, token), 403)["code"] == "sign_in_required"


def test_another_persons_token_is_not_found(client: FlaskClient, admin: User, headers: dict[str, str]) -> None:
    made = issue(client, headers).get_json()
    others = callers.signed_in(colleague(admin))
    callers.error_of(client.get(f"{TOKENS}/{made['id']}", headers=others), 404)
    callers.error_of(client.delete(f"{TOKENS}/{made['id']}", headers=others), 404)


# --- the audit ----------------------------------------------------------------------------------------------


def test_the_audit_is_filtered_by_family_actor_and_subject(
    client: FlaskClient, admin: User, headers: dict[str, str]
) -> None:
    person = colleague(admin, role="viewer")
    client.patch(f"{PEOPLE}/{person.id}", json={"role": "operator", "disabled": True}, headers=headers)
    issue(client, headers)

    def found(**query: str) -> set[str]:
        entries = client.get("/api/audit", query_string=query, headers=headers).get_json()["entries"]
        return {entry["action"] for entry in entries}

    assert found(action="person") == {"person.role_changed", "person.disabled"}
    assert found(action="person.disabled") == {"person.disabled"}
    assert found(action="per") == set()
    assert found(subject=f"user:{person.id}") == {"person.role_changed", "person.disabled"}
    assert "token.issued" in found(actor=f"user:{admin.id}")
    assert found(actor="user:0") == set()


def test_the_audit_names_the_token_that_acted(client: FlaskClient, admin: User, headers: dict[str, str]) -> None:
    token = callers.with_token(admin, ["write"])
    client.patch("/api/auth/me", json={"name": "Renamed"}, headers=token)
    entry = client.get("/api/audit", headers=headers).get_json()["entries"][0]
    assert entry["action"] == "profile.changed"
    assert entry["actor"].startswith("token:")
