"""What the channel `whatsapp` declares about itself."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from backend.channels import graph
from backend.channels.capabilities import Capabilities, Length, ReplyWindow, Sizes
from backend.channels.graph import GraphApi
from backend.channels.spec import ChannelSpec, EnvironmentSender, Webhook, WebhookRoute
from backend.channels.transport import Timeouts
from backend.channels.whatsapp import errors, formatting, items, media, reading
from backend.channels.whatsapp.administration import WABA
from backend.channels.whatsapp.channel import WhatsApp
from backend.channels.whatsapp.provider import provider
from backend.core import config

NAME: Final = "whatsapp"
_TIMEOUTS: Final = Timeouts(connect=5.0, read=30.0, total=60.0)


def create() -> WhatsApp:
    """The channel as the process's settings describe it: the API's address and version, one connection per dispatch
    thread."""
    settings = config.get()
    return WhatsApp(
        GraphApi(
            settings.meta_graph_url,
            settings.meta_api_version,
            pool_size=settings.dispatch_connections,
            timeouts=_TIMEOUTS,
            read_refusal=errors.read,
        )
    )


def _environment(settings: config.Settings) -> EnvironmentSender | None:
    if not settings.meta_access_token:
        return None
    return EnvironmentSender(
        settings.meta_access_token,
        external_id=settings.meta_phone_number_id or None,
        settings={
            "app_secret": settings.meta_app_secret,
            "verify_token": settings.verify_token,
            WABA: settings.meta_waba_id,
            "pin": settings.whatsapp_pin,
        },
    )


SPEC: Final = ChannelSpec(
    name=NAME,
    family="whatsapp",
    create=create,
    capabilities=Capabilities(
        typing=True,
        templates=True,
        reply_to=True,
        echoes=True,
        client_ref=True,
        receipts=frozenset({"sent", "delivered", "read", "played", "failed"}),
    ),
    sizes=Sizes(
        text=Length(formatting.TEXT_CHARACTERS),
        caption=Length(formatting.CAPTION_CHARACTERS),
        media_bytes=media.SIZES,
        buttons=formatting.BUTTONS,
        button_text=Length(formatting.BUTTON_CHARACTERS),
        button_data=Length(formatting.BUTTON_DATA_CHARACTERS),
    ),
    webhook=Webhook(
        routes=(WebhookRoute("/whatsapp/webhook"), WebhookRoute("/whatsapp/webhook/{sender_id}")),
        verify=graph.verify,
        split=items.split,
        parse=reading.parse,
        headers=graph.HEADERS,
        max_bytes=graph.MAX_BYTES,
        secret_settings=("app_secret",),
        token_settings=("verify_token",),
        handshake=graph.handshake,
        secret_missing="WhatsApp's webhook needs the application's secret (META_APP_SECRET).",  # noqa: S106 - a message
    ),
    reply_window=ReplyWindow({"message_24h": timedelta(hours=24)}),
    environment=_environment,
    provider=provider,
)
