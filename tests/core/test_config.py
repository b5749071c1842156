"""Configuration fails early, by the name of the variable, and never shows a value."""

from __future__ import annotations

import pytest

from backend.core.config import ConfigurationError, load, normalize_database_url

GOOD = {
    "DATABASE_URL": "postgresql+asyncpg://u:p@h/db",
    "REDIS_URL": "redis://h",
    "SECRET_KEY": "q7Lr2-a-secret-for-the-tests-alone-Vx81",
    "JWT_SECRET_KEY": "m3Tz9-another-for-the-tests-alone-Kd46",
    "ENCRYPTION_KEYS": "k",
    "SITE_URL": "https://example.com/",
}


def test_driver_suffixes_are_normalised():
    assert load(GOOD).database_url == "postgresql+psycopg://u:p@h/db"
    assert normalize_database_url("postgres://h/db") == "postgresql+psycopg://h/db"


@pytest.mark.parametrize("name", sorted(GOOD))
def test_a_missing_variable_is_named(name):
    with pytest.raises(ConfigurationError, match=name):
        load({key: value for key, value in GOOD.items() if key != name})
    with pytest.raises(ConfigurationError, match=name):
        load(GOOD | {name: ""})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DATABASE_URL", "mysql://secret@h"),
        ("SITE_URL", "not an address"),
        ("REGISTRATION", "sometimes"),
        ("TELEGRAM_BOT_CONFIGS", "{secret"),
        ("TELEGRAM_WEBHOOK_SECRET", "with secret spaces"),
        ("TRUSTED_PROXIES", "secret"),
        ("LOG_LEVEL", "secret"),
    ],
)
def test_a_malformed_variable_is_named_and_not_shown(name, value):
    with pytest.raises(ConfigurationError, match=name) as caught:
        load(GOOD | {name: value})
    assert "secret" not in str(caught.value).replace(name, "")


def test_lists_and_bots_are_read():
    settings = load(
        GOOD
        | {
            "TELEGRAM_CHAT_IDS": "1, -100,@name",
            "TELEGRAM_BOT_CONFIGS": '[{"name": "deploy", "token": "1:x", "chat_ids": "1,2"}]',
        }
    )
    assert settings.telegram_chat_ids == ("1", "-100", "@name")
    assert settings.telegram_bot_configs[0].name == "deploy"
    assert settings.webhook_base_url == "https://example.com"


def test_no_secret_shows_in_a_repr():
    shown = repr(load(GOOD | {"TELEGRAM_BOT_TOKEN": "123:visible", "SECRET_KEY": "visible-" + GOOD["SECRET_KEY"]}))
    assert "visible" not in shown
