"""Weak secrets stop a process at its start; the error names the variable and shows nothing of it."""

from __future__ import annotations

import base64
import os
import secrets

import pytest

from backend.core.config import ConfigurationError, load
from backend.core.secret_strength import weakness
from tests.core.test_config import GOOD


@pytest.mark.parametrize(
    "weak",
    [
        "x",
        "short-and-therefore-guessable",
        "a" * 40,
        " " * 40,
        "secret" * 8,
        "abcabcabcabcabcabcabcabcabcabcabcab",
        "0123456789abcdef0123456789abcdef",
        "abcdefghijklmnopqrstuvwxyz0123456789",
        "98765432109876543210987654321098765",
        "changeme-changeme-changeme-please!",
        "Change_This-before-you-deploy-it-0001",
        "your-secret-key-goes-here-0123456789",
        "django-insecure-q8w7e6r5t4y3u2i1o0p9",
        "python3 -c 'import secrets; print(secrets.token_urlsafe(48))'",
        "$(openssl rand -base64 48)-q8w7e6r5t4y3u2",
        "112211221122112211221122112211221",
        "super-secret-jwt-token-with-at-least-32-characters-long",
        "secret-key-secret-key-secret-key-1",
        "Lorem ipsum dolor sit amet, consectetur",
        "the quick brown fox jumps over the lazy dog",
        "qwertyuiopasdfghjklzxcvbnmqwertyui",
        "password1234567890password1234567",
    ],
)
@pytest.mark.parametrize("name", ["SECRET_KEY", "JWT_SECRET_KEY"])
def test_a_weak_secret_is_refused_by_name_and_not_shown(name: str, weak: str) -> None:
    with pytest.raises(ConfigurationError, match=f"^{name}: ") as caught:
        load(GOOD | {name: weak})
    assert weak not in str(caught.value).replace("needs at least 32 characters", "")


@pytest.mark.parametrize(
    "make",
    [
        lambda: secrets.token_urlsafe(48),
        lambda: secrets.token_hex(16),
        lambda: secrets.token_hex(32),
        lambda: base64.b64encode(os.urandom(32)).decode(),
        lambda: "".join(secrets.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(32)),
    ],
)
def test_random_secrets_of_every_usual_form_are_taken(make) -> None:
    for _ in range(300):
        assert weakness(make()) is None


def test_the_secrets_of_this_test_suite_are_taken(environment: dict[str, str]) -> None:
    assert weakness(environment["SECRET_KEY"]) is None
    assert weakness(environment["JWT_SECRET_KEY"]) is None


@pytest.mark.parametrize("short", ["s", "fifteen-chars-x", "A_-9"])
def test_a_webhook_secret_has_sixteen_characters(short: str) -> None:
    with pytest.raises(ConfigurationError, match=r"^TELEGRAM_WEBHOOK_SECRET: "):
        load(GOOD | {"TELEGRAM_WEBHOOK_SECRET": short})
    assert load(GOOD | {"TELEGRAM_WEBHOOK_SECRET": "sixteen-chars-xy"}).telegram_webhook_secret


@pytest.mark.parametrize("given", ["x", "12345678"])
def test_what_other_systems_give_is_taken_as_it_is(given: str) -> None:
    settings = load(GOOD | {"META_APP_SECRET": given, "VERIFY_TOKEN": given, "TELEGRAM_BOT_TOKEN": given})
    assert (settings.meta_app_secret, settings.verify_token) == (given, given)
