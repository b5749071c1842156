"""With a mail server, whoever forgot their password gets the link, and nobody else sees it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from flask.testing import FlaskClient

from backend.core import clock, config
from backend.core.work import Turn
from backend.services import mail
from backend.services.auth import limits, password_resets
from tests.http import callers
from tests.support.mail_server import MailServer, mail_server

NEW = "an entirely new password"


@pytest.fixture(autouse=True)
def _nothing_counted() -> None:
    limits.reset()


@pytest.fixture
def server(app: Any, settings: config.Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[MailServer]:
    with mail_server() as running:
        monkeypatch.setattr(config, "_current", settings.model_copy(update={"smtp_url": running.url}))
        yield running


def tokens(server: MailServer) -> list[str]:
    password_resets.answer_requests(Turn(60.0))
    mail.drain(Turn(60.0))
    return [re.findall(r"reset-password\?token=(\S+)", one.get_content())[0] for one in server.mails]


def confirm(client: FlaskClient, token: str) -> int:
    return client.post("/api/auth/password-reset/confirm", json={"token": token, "password": NEW}).status_code


@pytest.mark.parametrize(("locale", "word"), [("en", "password"), ("ko", "비밀번호")])
def test_who_forgot_it_gets_a_link_that_works_once(
    client: FlaskClient, server: MailServer, locale: str, word: str
) -> None:
    person = callers.member(email="ada@example.com", locale=locale)
    said = client.post("/api/auth/password-reset", json={"email": "Ada@example.com"})
    assert said.status_code == 202
    nobody = client.post("/api/auth/password-reset", json={"email": "nobody@example.com"})
    assert said.get_json() == nobody.get_json()
    [token] = tokens(server)
    assert word in server.mails[0]["Subject"]
    assert server.recipients == [person.email]
    assert token not in said.get_data(as_text=True)
    assert confirm(client, token) == 200
    assert confirm(client, token) == 404
    login = client.post("/api/auth/login", json={"email": person.email, "password": NEW})
    assert login.status_code == 200


def test_asking_again_and_again_sends_one_mail_and_keeps_the_link(client: FlaskClient, server: MailServer) -> None:
    callers.member(email="ada@example.com")
    for _ in range(3):
        client.post("/api/auth/password-reset", json={"email": "ada@example.com"})
    assert len(tokens(server)) == 1
    clock.move(301)
    client.post("/api/auth/password-reset", json={"email": "ada@example.com"})
    first, second = tokens(server)
    assert confirm(client, first) == 200, "a later one, which anybody may ask for, does not void it"
    assert confirm(client, second) == 404, "the password is set: no other link may set it again"


def test_an_admins_link_goes_to_the_person_and_is_not_shown(client: FlaskClient, server: MailServer) -> None:
    admin = callers.member()
    person = callers.member(workspace_id=admin.workspace_id, email="kim@example.com", role="viewer")
    answer = client.post(f"/api/people/{person.id}/password-reset", headers=callers.signed_in(admin))
    assert answer.status_code == 201
    body = answer.get_json()
    assert (body["mailed"], body["link"], body["token"]) == (True, None, None)
    [token] = tokens(server)
    assert server.recipients == ["kim@example.com"]
    assert confirm(client, token) == 200


def test_without_a_mail_server_it_is_shown_once_as_ever(client: FlaskClient) -> None:
    admin = callers.member()
    person = callers.member(workspace_id=admin.workspace_id, email="kim@example.com", role="viewer")
    body = client.post(f"/api/people/{person.id}/password-reset", headers=callers.signed_in(admin)).get_json()
    assert body["mailed"] is False
    assert body["token"] in body["link"]
    assert confirm(client, body["token"]) == 200
