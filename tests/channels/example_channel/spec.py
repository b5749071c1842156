"""What the channel `example` declares about itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Final

from backend.channels import verification
from backend.channels.capabilities import Capabilities, Length, ReplyWindow, Sizes
from backend.channels.spec import ChannelSpec, EnvironmentSender, Webhook, WebhookRoute
from backend.core.config import Settings
from tests.channels.example_channel import webhook
from tests.channels.example_channel.client import TEXT_CHARACTERS, ExampleClient
from tests.channels.example_channel.provider import provider

SIGNATURE: Final = "X-Example-Signature"
ENVIRONMENT: Final = EnvironmentSender(
    "example-token-of-the-environment",
    external_id="account-0",
    settings={"app_secret": "example-app-secret", "verify_token": "example-verify-token"},
)


def _verify(headers: Mapping[str, str], body: bytes, secrets: Sequence[str]) -> bool:
    return verification.is_signed(headers, SIGNATURE, body, secrets)


def _environment(settings: Settings) -> EnvironmentSender:
    return ENVIRONMENT


SPEC: Final = ChannelSpec(
    name="example",
    family="example",
    create=ExampleClient,
    capabilities=Capabilities(
        templates=True, echoes=True, client_ref=True, receipts=frozenset({"sent", "delivered", "read", "failed"})
    ),
    sizes=Sizes(text=Length(TEXT_CHARACTERS)),
    reply_window=ReplyWindow({"message_24h": timedelta(hours=24)}),
    people_per_sender=True,
    webhook=Webhook(
        routes=(WebhookRoute("/example/webhook"), WebhookRoute("/example/webhook/{sender_id}")),
        verify=_verify,
        split=webhook.split,
        parse=webhook.parse,
        headers=frozenset({SIGNATURE.lower()}),
        max_bytes=256 * 1024,
        secret_settings=("app_secret", "second_app_secret"),
        token_settings=("verify_token",),
        handshake=verification.challenge,
    ),
    environment=_environment,
    provider=provider,
)
