"""Signing in by a browser: a known one passes, a busy or limited one is told when to come back, in its language."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask

from backend.core import config, hash_queue, i18n
from backend.core.hash_queue import HashQueue, Size
from backend.http import devices
from backend.models import User
from tests.http import callers
from tests.http.api.test_account import reset_link
from tests.http.console.conftest import Browser

WRONG = "a wrong password"


def sign_in(browser: Browser, person: User, password: str = callers.PASSWORD, at: str = "127.0.0.1") -> Any:
    form = {"email": person.email, "password": password}
    return browser.post("/console/sign-in", form, environ_overrides={"REMOTE_ADDR": at})


def test_a_browser_that_signed_in_before_passes_where_others_have_failed(app: Flask, person: User) -> None:
    mine, another = Browser(app, None), Browser(app, None)
    assert sign_in(mine, person).status_code == 303
    mine.client.delete_cookie("switchboard")
    for _ in range(10):
        assert sign_in(another, person, WRONG).status_code == 401
    refused = sign_in(another, person)
    assert (refused.status_code, int(refused.headers["Retry-After"]) > 0) == (429, True)
    assert sign_in(mine, person).status_code == 303
    assert sign_in(another, person, at="203.0.113.5").status_code == 303


def test_the_mark_is_for_browsers_alone_and_no_sign_in(app: Flask, person: User, stranger: Browser) -> None:
    assert sign_in(stranger, person).status_code == 303
    mark = stranger.client.get_cookie(devices.cookie_name())
    assert mark is not None
    assert mark.http_only
    assert mark.same_site == "Lax"
    assert str(person.email) not in mark.value
    only = Browser(app, None)
    only.client.set_cookie(devices.cookie_name(), mark.value)
    assert only.get("/console/").status_code == 303
    assert only.get("/api/auth/me").status_code == 401
    # The API takes headers only: a page elsewhere that makes a browser call it brings no mark.
    for _ in range(10):
        only.client.post("/api/auth/login", json={"email": person.email, "password": WRONG})
    answer = only.client.post("/api/auth/login", json={"email": person.email, "password": callers.PASSWORD})
    assert answer.status_code == 429


@pytest.mark.parametrize("value", ["", "x", "1.2.3.4", "é", "~" * 900, "9" * 3000])
def test_a_cookie_that_is_no_mark_changes_nothing(app: Flask, person: User, value: str) -> None:
    browser = Browser(app, None)
    browser.client.set_cookie(devices.cookie_name(), value)
    assert sign_in(browser, person).status_code == 303


def test_over_https_the_mark_travels_no_other_way(
    settings: config.Settings, monkeypatch: pytest.MonkeyPatch, stranger: Browser, person: User
) -> None:
    secure = settings.model_copy(update={"site_url": "https://switchboard.example"})
    monkeypatch.setattr(config, "_current", secure)
    cookies = sign_in(stranger, person).headers.getlist("Set-Cookie")
    [mark] = [one for one in cookies if one.startswith("__Host-switchboard-device=")]
    assert "Secure" in mark
    assert "Path=/" in mark


@pytest.mark.parametrize("language", ["en", "ko"])
def test_a_busy_moment_is_said_in_words(person: User, stranger: Browser, language: str) -> None:
    stranger.client.set_cookie("locale", language)
    queue = HashQueue(Size(1, 2, 1))
    hash_queue.use(queue)
    link = reset_link(person)
    try:
        with queue.place("elsewhere"):
            answers = [
                sign_in(stranger, person),
                stranger.post("/reset-password", {"token": link, "password": "a brand new password"}),
            ]
    finally:
        hash_queue.use(None)
    for response in answers:
        assert (response.status_code, response.headers["Retry-After"]) == (503, "1")
        assert i18n.text("console.sign_in.busy", language) in response.text


@pytest.mark.parametrize("language", ["en", "ko"])
@pytest.mark.parametrize(
    ("password", "code"),
    [("short", "password_too_short"), ("Password1!", "password_common"), ("sam@example.com", "password_personal"),
     ("x" * 2000, "password_too_long")],
)  # fmt: skip
def test_a_weak_new_password_is_refused_in_words_and_the_link_stays(
    person: User, stranger: Browser, language: str, password: str, code: str
) -> None:
    stranger.client.set_cookie("locale", language)
    link = reset_link(person)
    response = stranger.post("/reset-password", {"token": link, "password": password})
    assert response.status_code == 422
    assert i18n.text(f"console_faults.{code}", language) in response.text
    done = stranger.post("/reset-password", {"token": link, "password": "a brand new password"})
    assert done.status_code == 303
    assert stranger.client.get_cookie(devices.cookie_name()) is not None


def test_too_many_tries_with_a_link_say_when_to_come_back(
    settings: config.Settings, monkeypatch: pytest.MonkeyPatch, stranger: Browser, person: User
) -> None:
    monkeypatch.setattr(config, "_current", settings.model_copy(update={"rate_limits": "anonymous=5/m"}))
    assert stranger.post("/reset-password", {"token": "x", "password": "a brand new password"}).status_code == 404
    response = stranger.post("/reset-password", {"token": "x", "password": "a brand new password"})
    assert (response.status_code, int(response.headers["Retry-After"]) > 0) == (429, True)
