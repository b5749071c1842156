"""A sender's webhook: its address and secrets, and registering it with the sender's provider."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Final

from backend.channels import registry
from backend.channels.errors import Rejected
from backend.channels.provider import NOT_SUPPORTED, WebhookRegistration, WebhookStatus
from backend.channels.spec import Webhook
from backend.core import config
from backend.core.database import db, system_scope
from backend.core.errors import Invalid
from backend.models import Sender
from backend.services.senders import provider as connections
from backend.services.senders.credentials import credentials_of, settings_of

_MAX_SECRETS: Final = 3
"""While a secret changes, the ones before it are good as well: nobody knows which of them the provider has."""


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
    """The secret that the provider is given; empty where there is none, and then the webhook refuses everything."""
    return next(iter(webhook_secrets_of(sender)), "")


def new_webhook_secret(sender: Sender, *, keep: bool = False) -> str:
    """Gives a sender of the database a new secret. With `keep` the ones before stay good until `settle_webhook_secret`:
    its provider does not know the new one yet."""
    fresh = secrets.token_urlsafe(32)
    with system_scope("a sender is no tenant table"):
        earlier_secrets = webhook_secrets_of(sender) if keep else ()
        sender.webhook_secret = " ".join((fresh, *earlier_secrets)[:_MAX_SECRETS])
        db.session.flush()
    return fresh


def settle_webhook_secret(sender: Sender, secret: str) -> None:
    """The provider has taken this secret: those before it are no longer good. Another one that came meanwhile stays."""
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
    """Has the provider deliver this sender's events here; returns the address. Commits before the network call.

    Raises Invalid where there is no secret or the provider could not reach the address, and one of the five channel
    errors: Rejected(`not_supported`) for a channel whose webhooks are set up at the provider by hand, or that has none.
    """
    declared = _webhook_of(sender)
    if declared.chooses_secret and sender.source != "environment" and not sender.webhook_secret:
        new_webhook_secret(sender)
    secret = webhook_secret_of(sender)
    if not secret:
        raise Invalid("webhook_secret_missing", declared.secret_missing)
    credentials, address = credentials_of(sender), webhook_address(sender, base_url)
    provider = connections.patient(sender.channel)
    if why := provider.refusal_of(address):
        raise Invalid("webhook_address_refused", why)
    registration = WebhookRegistration(address, secret, next(iter(handshake_tokens_of(sender)), ""))
    db.session.commit()
    provider.register_webhook(credentials, registration, drop_pending=drop_pending)
    return address


def unregister_webhook(sender: Sender, *, drop_pending: bool = False) -> None:
    """Has the provider deliver nothing more. Commits before the network call; raises one of the five channel errors."""
    credentials, channel = credentials_of(sender), sender.channel
    db.session.commit()
    connections.quick(channel).unregister_webhook(credentials, drop_pending=drop_pending)


def webhook_status(sender: Sender) -> WebhookStatus:
    """What the provider says of the webhook. Commits before the network call; raises one of the five channel errors."""
    credentials, channel = credentials_of(sender), sender.channel
    db.session.commit()
    return connections.quick(channel).webhook_status(credentials)


def _webhook_of(sender: Sender) -> Webhook:
    declared = registry.spec(sender.channel).webhook
    if declared is None or declared.route(names_sender=sender.source != "environment") is None:
        raise Rejected(NOT_SUPPORTED)
    return declared
