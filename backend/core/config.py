"""Settings: read once from the environment into a frozen, typed object.

Nothing else in the project reads the environment. Each process asks for what it needs at its start
(`load(need=...)`), so that a missing variable is named in one clear line and not found out by a message
that could not be sent.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from backend.core import secret_strength

REQUIRED = (
    "DATABASE_URL",
    "REDIS_URL",
    "SECRET_KEY",
    "JWT_SECRET_KEY",
    "ENCRYPTION_KEYS",
    "SITE_URL",
)


class ConfigurationError(Exception):
    """A variable is missing or malformed. The message names the variable and never shows its value."""


class BotConfig(BaseModel):
    """One entry of `TELEGRAM_BOT_CONFIGS`: a bot that lives in the environment, for sending by name."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    token: str = Field(repr=False)
    chat_ids: str = ""


class Settings(BaseModel):
    """All of the product's configuration, by the names of its variables in lower case."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    database_url: str = Field(default="", repr=False)
    redis_url: str = Field(default="", repr=False)
    secret_key: str = Field(default="", repr=False)
    jwt_secret_key: str = Field(default="", repr=False)
    encryption_keys: str = Field(default="", repr=False)
    lookup_key: str = Field(default="", repr=False)
    site_url: str = ""
    host: str = "0.0.0.0"  # noqa: S104 - the contract's default; bin/dev listens on loopback only
    registration: Literal["invite", "open"] = "invite"
    cors_origins: tuple[str, ...] = ()
    trusted_proxies: int = 0
    """How many proxies in front of the web process add to `X-Forwarded-For`."""
    smtp_url: str = Field(default="", repr=False)
    metrics_token: str = Field(default="", repr=False)
    media_url: str = Field(default="var/media", repr=False)
    """It may hold the key of an object store."""
    log_level: str = "INFO"
    rate_limits: str = ""
    workspace_caps: str = ""

    telegram_bot_token: str = Field(default="", repr=False)
    telegram_chat_ids: tuple[str, ...] = ()
    telegram_bot_configs: tuple[BotConfig, ...] = ()
    telegram_alert_throttle_seconds: int = Field(default=60, ge=0)
    telegram_webhook_secret: str = Field(default="", repr=False)
    telegram_webhook_base_url: str = ""
    telegram_api_url: str = "https://api.telegram.org"
    telegram_api_id: str = Field(default="", repr=False)
    telegram_api_hash: str = Field(default="", repr=False)
    telegram_phone: str = ""
    telegram_mtproto_server: str = ""

    verify_token: str = Field(default="", repr=False)
    meta_api_version: str = "v26.0"
    meta_graph_url: str = "https://graph.facebook.com"
    meta_app_secret: str = Field(default="", repr=False)
    meta_access_token: str = Field(default="", repr=False)
    meta_phone_number_id: str = ""
    meta_waba_id: str = ""
    meta_page_access_token: str = Field(default="", repr=False)
    meta_app_id: str = ""
    meta_page_id: str = ""
    meta_instagram_id: str = ""
    instagram_access_token: str = Field(default="", repr=False)
    instagram_app_secret: str = Field(default="", repr=False)
    instagram_graph_url: str = ""
    """Set: Instagram is reached by Instagram's own login, at this address."""
    whatsapp_pin: str = Field(default="", repr=False)
    """The six digits by which a number is registered."""
    ai_api_key: str = Field(default="", repr=False)
    openai_model: str = "gpt-4o-mini"
    openai_base_url: str = "https://api.openai.com/v1"
    crm_webhook_url: str = ""
    sheets_webhook_url: str = ""

    web_threads: int = Field(default=8, ge=1, le=256)
    """How many requests one web process computes at a time."""
    web_protocol: Literal["own", "uvicorn"] = "own"
    """How the web process reads HTTP; read by `backend.asgi.protocol` before there are settings."""
    # How much of the engine one process takes on.
    dispatch_connections: int = Field(default=32, ge=1, le=512)
    egress_allow_private: bool = False
    """Development only: lets attachments and outgoing webhooks go to private addresses."""

    development: bool = False
    """An instance of `bin/dev`: shows what only developers need."""

    @field_validator("database_url")
    @classmethod
    def _psycopg_address(cls, value: str) -> str:
        return normalize_database_url(value) if value else value

    @field_validator("secret_key", "jwt_secret_key")
    @classmethod
    def _strong(cls, value: str) -> str:
        fault = secret_strength.weakness(value) if value else None
        if fault is not None:
            raise ValueError(f"{fault}; docs/configuration.md says how to make and to change it")
        return value

    @field_validator("cors_origins", "telegram_chat_ids", mode="before")
    @classmethod
    def _comma_list(cls, value: Any) -> Any:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @field_validator("telegram_bot_configs", mode="before")
    @classmethod
    def _json_list(cls, value: Any) -> Any:
        if isinstance(value, str):
            try:
                return tuple(json.loads(value)) if value.strip() else ()
            except (ValueError, TypeError) as error:
                raise ValueError("is not a JSON list") from error
        return value

    @field_validator(
        "site_url", "telegram_webhook_base_url", "telegram_api_url", "meta_graph_url", "instagram_graph_url"
    )
    @classmethod
    def _http_address(cls, value: str) -> str:
        if not value:
            return value
        if urlsplit(value).scheme not in ("http", "https") or not urlsplit(value).hostname:
            raise ValueError("is not an http(s) address")
        return value.rstrip("/")

    @field_validator("meta_api_version")
    @classmethod
    def _graph_version(cls, value: str) -> str:
        if not re.fullmatch(r"v\d{1,3}\.\d", value):
            raise ValueError("has not the form v26.0")
        return value

    @field_validator("meta_phone_number_id", "meta_waba_id", "meta_app_id", "meta_page_id", "meta_instagram_id")
    @classmethod
    def _graph_id(cls, value: str) -> str:
        if value and not re.fullmatch(r"[0-9]{1,32}", value):
            raise ValueError("is an id made of digits")
        return value

    @field_validator("whatsapp_pin")
    @classmethod
    def _six_digits(cls, value: str) -> str:
        if value and not re.fullmatch(r"[0-9]{6}", value):
            raise ValueError("has six digits")
        return value

    @field_validator("telegram_webhook_secret")
    @classmethod
    def _webhook_secret(cls, value: str) -> str:
        # Bot API, setWebhook: 1-256 characters of A-Z a-z 0-9 _ -. Fewer than 16 could be guessed.
        if value and not re.fullmatch(r"[A-Za-z0-9_-]{16,256}", value):
            raise ValueError("has 16 to 256 of A-Z a-z 0-9 _ -")
        return value

    @field_validator("log_level")
    @classmethod
    def _known_level(cls, value: str) -> str:
        if value.upper() not in ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"):
            raise ValueError("is not one of DEBUG INFO WARNING ERROR CRITICAL")
        return value.upper()

    def secret_values(self) -> list[str]:
        """The values that no log may hold: the fields that stay out of the settings' own repr."""
        hidden = [name for name, field in Settings.model_fields.items() if not field.repr]
        values = [str(getattr(self, name)) for name in hidden]
        values += [bot.token for bot in self.telegram_bot_configs]
        return [part for value in values for part in value.split(",") if part]

    def for_sqlalchemy(self) -> dict[str, Any]:
        """What the database's extension reads from an application's configuration."""
        return {
            "SQLALCHEMY_DATABASE_URI": self.database_url,
            # Parameters can hold secrets and people's texts: they stay out of error messages, and so out of logs.
            "SQLALCHEMY_ENGINE_OPTIONS": {"hide_parameters": True},
        }

    @property
    def webhook_base_url(self) -> str:
        """Where providers reach this instance; `SITE_URL` unless set apart."""
        return self.telegram_webhook_base_url or self.site_url


def normalize_database_url(url: str) -> str:
    """Returns the address with SQLAlchemy's psycopg driver, whatever suffix (`+asyncpg`) it came with.

    Raises ValueError for anything that is not PostgreSQL: there is one dialect.
    """
    scheme, separator, rest = url.partition("://")
    if not separator or scheme.split("+")[0] not in ("postgres", "postgresql"):
        raise ValueError("is not a postgresql:// address")
    return f"postgresql+psycopg://{rest}"


def load(environ: Mapping[str, str] | None = None, *, need: tuple[str, ...] = REQUIRED) -> Settings:
    """Reads the settings; an empty variable counts as unset.

    Raises ConfigurationError naming every variable of `need` that is missing, or the first malformed one.
    """
    source = os.environ if environ is None else environ
    values = {name.lower(): value for name, value in source.items() if value != ""}
    missing = [name for name in need if not values.get(name.lower())]
    if missing:
        raise ConfigurationError(f"{', '.join(missing)} must be set in the environment; see docs/configuration.md")
    try:
        return Settings.model_validate({k: v for k, v in values.items() if k in Settings.model_fields})
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        name = str(first["loc"][0]).upper()
        raise ConfigurationError(f"{name}: {first['msg'].removeprefix('Value error, ')}") from None


_current: Settings | None = None


def use(settings: Settings) -> None:
    """Makes these the settings of this process."""
    global _current
    _current = settings


def get() -> Settings:
    """The settings of this process; raises ConfigurationError before a start-up has chosen them."""
    if _current is None:
        raise ConfigurationError("the process has not loaded its settings")
    return _current


def read_dotenv(path: Path) -> None:
    """Fills `os.environ` from a `.env` file for the command line and `bin/dev`; real variables win."""
    from dotenv import load_dotenv

    if path.is_file():
        load_dotenv(path, override=False)


def unchecked(name: str) -> str:
    """A variable as it stands in the environment, for the command that helps to replace one that is refused."""
    return os.environ.get(name, "")


def test_env(name: str) -> str | None:
    """A variable that only the test-suite sets (clock offset, failpoints); None in production."""
    return os.environ.get(name)
