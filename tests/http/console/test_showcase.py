"""The page of components: every one of them, and only for developers."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from backend.core import config
from backend.http.console.kit import components
from tests.http.console.conftest import Browser


@pytest.fixture
def development() -> Iterator[None]:
    settings = config.get()
    config.use(settings.model_copy(update={"development": True}))
    yield
    config.use(settings)


def test_there_is_no_such_page_in_production(browser: Browser) -> None:
    assert browser.get("/console/kit").status_code == 404


@pytest.mark.usefixtures("development")
def test_every_component_is_shown_and_drawn(browser: Browser) -> None:
    shown = browser.get("/console/kit")
    assert shown.status_code == 200
    assert set(re.findall(r'<section class="panel" aria-labelledby="c-(\w+)">', shown.text)) == components.NAMES
    for state in components.STATES:
        assert f"#{components.STATES[state][1]}" in shown.text


@pytest.mark.usefixtures("development")
def test_who_is_not_signed_in_is_led_to_the_sign_in(stranger: Browser) -> None:
    assert stranger.get("/console/kit").status_code == 303
