"""Browsers that are signed in by cookie, over the test client."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from backend.core.database import system_scope
from backend.http.console.kit import sessions
from backend.models import User
from backend.services.auth import credentials
from tests.http import callers
from tests.http.console.alerting import furnish

OWN = {"Origin": "http://localhost", "Sec-Fetch-Site": "same-origin"}


class Browser:
    """A person's browser: its cookies, and forms with the token that their pages carry."""

    def __init__(self, app: Flask, person: User | None) -> None:
        self.client: FlaskClient = app.test_client()
        self.csrf = ""
        if person is not None:
            begun = callers.begin(person)
            with app.test_request_context(), system_scope("a test"):
                answer = app.make_response("")
                sessions.open_session(answer, begun)
                cookie = answer.headers["Set-Cookie"].split(";")[0]
                name, _, value = cookie.partition("=")
                self.client.set_cookie(name, value)
                self.csrf = sessions.csrf_token(credentials.by_sign_in(person.id, begun.id))

    def get(self, path: str, **options: Any) -> TestResponse:
        """Opens a page."""
        return self.client.get(path, **options)

    def post(self, path: str, data: dict[str, Any] | None = None, **options: Any) -> TestResponse:
        """Sends a form of a page."""
        return self.client.post(path, data={"csrf_token": self.csrf, **(data or {})}, headers=OWN, **options)

    def post_by_script(self, path: str, data: dict[str, Any] | None = None) -> TestResponse:
        """Sends a form the way the page's script does."""
        headers = OWN | {"HX-Request": "true"}
        return self.client.post(path, data={"csrf_token": self.csrf, **(data or {})}, headers=headers)


@pytest.fixture
def person(app: Flask) -> User:
    """An admin."""
    return callers.member(role="admin", email="sam@example.com")


@pytest.fixture
def browser(app: Flask, person: User) -> Browser:
    """The admin's browser."""
    return Browser(app, person)


@pytest.fixture
def stranger(app: Flask) -> Browser:
    """A browser without a cookie."""
    return Browser(app, None)


@pytest.fixture
def alerting(app: Flask, person: User) -> User:
    """The admin's workspace, with the bot named alerts and a group."""
    furnish(person)
    return person
