"""What the channel `messenger` declares about itself."""

from __future__ import annotations

from datetime import timedelta
from functools import lru_cache
from typing import Final

from backend.channels import graph
from backend.channels.capabilities import Capabilities, Length, ReplyWindow, Sizes
from backend.channels.meta_messaging import client, declared, items, parsing, texts
from backend.channels.meta_messaging.accounts import MESSENGER, Access
from backend.channels.meta_messaging.client import MetaMessaging
from backend.channels.meta_messaging.provider import MetaMessagingProvider
from backend.channels.spec import ChannelSpec, EnvironmentSender, Webhook, WebhookRoute
from backend.channels.transport import Timeouts
from backend.core import config

NAME: Final = "messenger"
TEXT: Final = Length(2000)
_MB: Final = 1024 * 1024


def create() -> MetaMessaging:
    """The channel as the process's settings describe it."""
    settings = config.get()
    return channel_at(settings.meta_graph_url, settings.meta_api_version, settings.dispatch_connections)


def channel_at(address: str, version: str, connections: int = 4, timeouts: Timeouts | None = None) -> MetaMessaging:
    """The channel at this address of the Graph API."""
    access = Access(client.api(address, version, pool_size=connections, timeouts=timeouts), MESSENGER)
    return MetaMessaging(NAME, TEXT, lambda token: access, echoes_reference=True)


def provider(timeouts: Timeouts) -> MetaMessagingProvider:
    """The provider at the address of the process's settings, over connections apart from those that send messages."""
    settings = config.get()
    return provider_at(settings.meta_graph_url, settings.meta_api_version, timeouts, settings.egress_allow_private)


@lru_cache(maxsize=8)
def provider_at(address: str, version: str, timeouts: Timeouts, private_files: bool = False) -> MetaMessagingProvider:
    """The provider at this address of the Graph API."""
    access = Access(client.api(address, version, timeouts=timeouts), MESSENGER)
    return MetaMessagingProvider(
        address, lambda token: access, access.api, file_seconds=timeouts.total, private_files=private_files
    )


def _environment(settings: config.Settings) -> EnvironmentSender | None:
    return declared.page_sender(settings, settings.meta_page_id)


SPEC: Final = ChannelSpec(
    name=NAME,
    family=NAME,
    create=create,
    capabilities=Capabilities(
        typing=True,
        reply_to=True,
        echoes=True,
        client_ref=True,
        receipts=frozenset({"delivered", "read"}),
    ),
    sizes=Sizes(
        text=TEXT,
        media_bytes=dict.fromkeys(("photo", "video", "audio", "voice", "document", "sticker"), 25 * _MB),
        buttons=texts.QUICK_REPLIES,
        button_text=Length(texts.TITLE_CHARACTERS),
        button_data=Length(texts.DATA_CHARACTERS),
    ),
    reply_window=ReplyWindow(
        {
            "message_24h": timedelta(hours=24),
            "ad_7d": timedelta(days=7),
            "comment_7d_once": timedelta(days=7),
            "human_agent_7d": timedelta(days=7),
        }
    ),
    people_per_sender=True,
    webhook=Webhook(
        routes=(WebhookRoute("/messenger/webhook"), WebhookRoute("/messenger/webhook/{sender_id}")),
        verify=graph.verify,
        split=items.split,
        parse=parsing.parse,
        headers=graph.HEADERS,
        max_bytes=graph.MAX_BYTES,
        secret_settings=("app_secret",),
        token_settings=("verify_token",),
        handshake=graph.handshake,
    ),
    environment=_environment,
    provider=provider,
)
