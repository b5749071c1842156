"""A sender's webhook: its address and secrets; and registering a bot's with Telegram, menu of commands included."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from backend.channels import registry
from backend.channels.telegram_bot.administration import BotCommand, WebhookInfo
from backend.channels.telegram_bot.client import PUBLIC_ADDRESS
from backend.core import config
from backend.core.database import db, system_scope
from backend.core.errors import Invalid
from backend.models import Sender
from backend.services.senders import provider
from backend.services.senders.credentials import credentials_of, settings_of

_PORTS: Final = (443, 80, 88, 8443)


@dataclass(frozen=True, slots=True)
class BotCommandText:
    """One entry of the menu in one language."""

    name: str
    description: str


_MAX_SECRETS: Final = 3
"""While a secret changes, the ones before it are good as well: nobody knows which of them Telegram has."""


def webhook_secrets_of(sender: Sender) -> tuple[str, ...]:
    """The secrets that prove a request to be genuine, the newest first; none where the webhook refuses everything."""
    declared = registry.spec(sender.channel).webhook
    if declared is None:
        return ()
    own = () if sender.source == "environment" else tuple((sender.webhook_secret or "").split())
    return own + _settings_named(sender, declared.secret_settings)


def handshake_tokens_of(sender: Sender) -> tuple[str, ...]:
    """The tokens with which a provider may subscribe to this sender's webhook."""
    declared = registry.spec(sender.channel).webhook
    return () if declared is None else _settings_named(sender, declared.token_settings)


def _settings_named(sender: Sender, names: Sequence[str]) -> tuple[str, ...]:
    settings = settings_of(sender) if names else {}
    return tuple(value for name in names if (value := settings.get(name)))


def webhook_secret_of(sender: Sender) -> str:
    """The secret that Telegram is given; empty where there is none, and then the webhook refuses everything."""
    return next(iter(webhook_secrets_of(sender)), "")


def new_webhook_secret(sender: Sender, *, keep: bool = False) -> str:
    """Gives a bot of the database a new secret. With `keep` the ones before stay good until `settle_webhook_secret`:
    Telegram does not know the new one yet."""
    fresh = secrets.token_urlsafe(32)
    with system_scope("a sender is no tenant table"):
        earlier_secrets = webhook_secrets_of(sender) if keep else ()
        sender.webhook_secret = " ".join((fresh, *earlier_secrets)[:_MAX_SECRETS])
        db.session.flush()
    return fresh


def settle_webhook_secret(sender: Sender, secret: str) -> None:
    """Telegram has taken this secret: those before it are no longer good. Another one that came meanwhile stays."""
    with system_scope("a sender is no tenant table"):
        if webhook_secret_of(sender) == secret:
            sender.webhook_secret = secret
            db.session.flush()


def webhook_address(sender: Sender, base_url: str | None = None) -> str:
    """Where the provider calls for this sender. Raises ValueError for a channel without such an address."""
    base = (base_url or config.get().webhook_base_url).rstrip("/")
    declared = registry.spec(sender.channel).webhook
    route = None if declared is None else declared.route(names_sender=sender.source != "environment")
    if route is None:
        raise ValueError(f"{sender.channel} has no address for such a sender")
    return base + route.address(sender.id)


def register_webhook(sender: Sender, *, base_url: str | None = None, drop_pending: bool = False) -> str:
    """Has Telegram deliver this bot's updates here; returns the address. Commits before the network call.

    Raises Invalid where there is no secret or Telegram could not reach the address, and one of the five channel errors.
    """
    if sender.source != "environment" and not sender.webhook_secret:
        new_webhook_secret(sender)
    secret = webhook_secret_of(sender)
    if not secret:
        raise Invalid("webhook_secret_missing", "The default bot's webhook needs TELEGRAM_WEBHOOK_SECRET to be set.")
    token, url = credentials_of(sender).token, webhook_address(sender, base_url)
    _check_address(url)
    db.session.commit()
    provider.patient().set_webhook(token, url, secret, drop_pending=drop_pending)
    return url


def _check_address(url: str) -> None:
    """Telegram's own words for this are hard to understand; another Bot API server may deliver anywhere."""
    if not config.get().telegram_api_url.startswith(PUBLIC_ADDRESS):
        return
    parts = urlsplit(url)
    if parts.scheme != "https" or (parts.port or 443) not in _PORTS:
        raise Invalid(
            "webhook_address_refused",
            f"Telegram delivers only to https addresses on port 443, 80, 88 or 8443, not to {url}; "
            "set TELEGRAM_WEBHOOK_BASE_URL, or poll.",
        )


def register_commands(sender: Sender, menus: Mapping[str | None, Sequence[BotCommandText]]) -> None:
    """Shows these menus, by language (two letters; None for all others). Commits before the network calls."""
    token = credentials_of(sender).token
    db.session.commit()
    for language, entries in menus.items():
        commands = [BotCommand(entry.name, entry.description) for entry in entries]
        provider.patient().set_my_commands(token, commands, language=language)


def webhook_info(sender: Sender) -> WebhookInfo:
    """What Telegram says about the webhook. Commits before the network call; raises one of the five channel errors."""
    token = credentials_of(sender).token
    db.session.commit()
    return provider.quick().get_webhook_info(token)
