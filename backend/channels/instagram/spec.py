"""What the channel `instagram` declares about itself.

There are two APIs: by the page that the account is linked to, with the page's token, and by Instagram's own login, with
a token of the account, at another address. The token says which of them it is for.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import lru_cache
from typing import Final

from backend.channels import graph
from backend.channels.capabilities import Capabilities, Length, ReplyWindow, Sizes
from backend.channels.meta_messaging import client, declared, items, parsing, texts
from backend.channels.meta_messaging.accounts import INSTAGRAM, INSTAGRAM_LOGIN, Access
from backend.channels.meta_messaging.client import MetaMessaging
from backend.channels.meta_messaging.provider import MetaMessagingProvider
from backend.channels.spec import ChannelSpec, EnvironmentSender, Webhook, WebhookRoute
from backend.channels.transport import Timeouts
from backend.core import config

NAME: Final = "instagram"
TEXT: Final = Length(1000, "bytes")
LOGIN_ADDRESS: Final = "https://graph.instagram.com"
_MB: Final = 1024 * 1024


def create() -> MetaMessaging:
    """The channel as the process's settings describe it."""
    settings = config.get()
    return channel_at(
        settings.meta_graph_url,
        settings.instagram_graph_url,
        settings.meta_api_version,
        settings.dispatch_connections,
    )


def channel_at(
    page_address: str, login_address: str, version: str, connections: int = 4, timeouts: Timeouts | None = None
) -> MetaMessaging:
    """The channel at these addresses of the two APIs; the second may be empty."""
    access_of = _access(page_address, login_address, version, connections, timeouts)
    return MetaMessaging(NAME, TEXT, access_of, echoes_reference=False, platform=NAME)


def provider(timeouts: Timeouts) -> MetaMessagingProvider:
    """The provider at the addresses of the process's settings, over connections apart from those that send messages."""
    settings = config.get()
    return provider_at(
        settings.meta_graph_url,
        settings.instagram_graph_url,
        settings.meta_api_version,
        timeouts,
        settings.egress_allow_private,
    )


@lru_cache(maxsize=8)
def provider_at(
    page_address: str, login_address: str, version: str, timeouts: Timeouts, private_files: bool = False
) -> MetaMessagingProvider:
    """The provider at these addresses of the two APIs; the second may be empty."""
    access_of = _access(page_address, login_address, version, 4, timeouts)
    applications = client.api(page_address, version, timeouts=timeouts)
    return MetaMessagingProvider(
        login_address or page_address, access_of, applications, file_seconds=timeouts.total, private_files=private_files
    )


def _access(
    page_address: str, login_address: str, version: str, connections: int, timeouts: Timeouts | None
) -> Callable[[str], Access]:
    by_page = Access(client.api(page_address, version, pool_size=connections, timeouts=timeouts), INSTAGRAM)
    by_login = Access(
        client.api(login_address or LOGIN_ADDRESS, version, pool_size=connections, timeouts=timeouts), INSTAGRAM_LOGIN
    )

    def access_of(token: str) -> Access:
        # Tokens of Instagram's login begin with IG, those of pages with EA.
        is_login = token.startswith("IG") or (bool(login_address) and not token.startswith("EA"))
        return by_login if is_login else by_page

    return access_of


def _environment(settings: config.Settings) -> EnvironmentSender | None:
    if settings.instagram_access_token:
        return EnvironmentSender(
            settings.instagram_access_token,
            external_id=settings.meta_instagram_id or None,
            settings=declared.secrets_of(settings),
        )
    return declared.page_sender(settings, settings.meta_instagram_id)


SPEC: Final = ChannelSpec(
    name=NAME,
    family=NAME,
    create=create,
    capabilities=Capabilities(typing=True, reply_to=True, echoes=True, receipts=frozenset({"read"})),
    sizes=Sizes(
        text=TEXT,
        media_bytes={"photo": 8 * _MB, "sticker": 8 * _MB}
        | dict.fromkeys(("video", "audio", "voice", "document"), 25 * _MB),
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
        routes=(WebhookRoute("/instagram/webhook"), WebhookRoute("/instagram/webhook/{sender_id}")),
        verify=graph.verify,
        split=items.split,
        parse=parsing.parse,
        headers=graph.HEADERS,
        max_bytes=graph.MAX_BYTES,
        secret_settings=("app_secret", "instagram_app_secret"),
        token_settings=("verify_token",),
        handshake=graph.handshake,
    ),
    environment=_environment,
    provider=provider,
)
