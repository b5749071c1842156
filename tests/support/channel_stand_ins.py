"""Specs in place of Meta's channels, for tests of what is around them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from backend.channels import registry
from backend.channels.spec import WebhookRoute, no_environment
from backend.services.channel_setup.platforms import PLATFORMS
from backend.services.senders import webhook_verifier
from tests.channels.example_channel.client import ExampleClient
from tests.channels.example_channel.spec import SPEC


@contextmanager
def added() -> Iterator[None]:
    """Those of the three that are not there are."""
    missing = [name for name in PLATFORMS if name not in registry.names()]
    for name in missing:
        assert SPEC.webhook is not None
        routes = (WebhookRoute(f"/{name}/webhook"), WebhookRoute(f"/{name}/webhook/{{sender_id}}"))
        webhook = replace(SPEC.webhook, routes=routes)
        declared = replace(SPEC, name=name, family=name, webhook=webhook, provider=None, environment=no_environment)
        registry.put(name, ExampleClient(), declared)
    webhook_verifier.forget()
    try:
        yield
    finally:
        if missing:
            registry.clear()
        webhook_verifier.forget()
