"""Who calls in a test: headers of a signed-in person or of a personal token, made by the product's own services."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from werkzeug.test import TestResponse

from backend.core import passwords
from backend.core.database import db, system_scope, workspace_scope
from backend.http import jwt
from backend.models import SignIn, User, Workspace
from backend.services.auth import personal_tokens, sign_in
from backend.services.auth.actor import Actor, scopes_of
from tests.support import factories

PASSWORD = "correct horse battery"
_QUICK = passwords.Passwords(memory_kib=64, passes=1)
"""Passwords that cost nothing to check; they are rehashed at the first login, like any with old parameters."""


def member(of: Workspace | None = None, role: str = "admin", **values: Any) -> User:
    """Somebody who can sign in with `PASSWORD`; stored for good, as a request sees it."""
    person = factories.user(of, role=role, **({"password_hash": _QUICK.hash(PASSWORD)} | values))
    commit()
    return person


def begin(person: User) -> SignIn:
    """A sign-in of this person."""
    begun = sign_in.start(person, "a test")
    commit()
    return begun


def bearer(token: str) -> dict[str, str]:
    """The header for a token."""
    return {"Authorization": f"Bearer {token}"}


def signed_in(person: User) -> dict[str, str]:
    """Headers with a fresh access token."""
    return bearer(jwt.access_token(person.id, begin(person).id))


def refresh_of(begun: SignIn) -> str:
    """The refresh token in force."""
    return jwt.refresh_token(begun.user_id, begun.id, begun.current_jti, begun.expires_at.timestamp())


def acting(person: User) -> Actor:
    """The person as services know a caller."""
    return Actor(
        person.id, person.workspace_id, person.role, person.is_owner, scopes_of(person.role), f"user:{person.id}"
    )


def with_token(person: User, scopes: Sequence[str], expires_at: datetime | None = None) -> dict[str, str]:
    """Headers with a personal access token of these scopes."""
    with workspace_scope(person.workspace_id):
        _, secret = personal_tokens.issue(acting(person), "a test", scopes, expires_at)
    commit()
    return bearer(secret)


def commit() -> None:
    """Stores what the test has made, so that requests see it whatever they roll back."""
    with system_scope("a test's set-up"):
        db.session.commit()


def error_of(response: TestResponse, status: int) -> dict[str, Any]:
    """The error of an answer, after checking its status and the one shape."""
    assert response.status_code == status, (response.status_code, response.get_data(as_text=True))
    check_shape(response)
    found: dict[str, Any] = response.get_json()["error"]
    return found


def check_shape(response: TestResponse) -> None:
    """Fails unless the answer is a JSON error in the one shape, with what its status asks for."""
    assert response.mimetype == "application/json", response.mimetype
    body = response.get_json()
    assert set(body) == {"error"}, body
    assert set(body["error"]) == {"code", "message", "detail"}, body
    assert isinstance(body["error"]["code"], str)
    assert body["error"]["code"]
    assert isinstance(body["error"]["message"], str)
    assert body["error"]["message"]
    if response.status_code in (429, 503):
        assert int(response.headers["Retry-After"]) >= 1
    if response.status_code == 401:
        assert response.headers["WWW-Authenticate"] == "Bearer"
