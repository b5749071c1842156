"""Telegram as a provider of bots: the methods of `Administration` behind the interface that every channel has.

Only bots can be polled and have a menu of commands: `updates` and `set_commands` are beside the interface.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, BinaryIO, Final
from urllib.parse import urlsplit

from backend.channels.base import Credentials, SenderFacts
from backend.channels.inbound import Chat
from backend.channels.provider import Member, Provider, WebhookRegistration, WebhookStatus
from backend.channels.telegram_bot.administration import Administration, BotCommand
from backend.channels.telegram_bot.client import PUBLIC_ADDRESS, BotClient
from backend.channels.transport import Timeouts
from backend.core import config

_PORTS: Final = (443, 80, 88, 8443)


class TelegramProvider(Provider):
    """See `backend.channels.provider.Provider`. `address` is that of a Bot API server."""

    def __init__(self, address: str, administration: Administration) -> None:
        self._address = address
        self._administration = administration

    @property
    def address(self) -> str:
        """The Bot API server's."""
        return self._address

    def probe(self, credentials: Credentials) -> SenderFacts:
        """getMe."""
        return self._administration.get_me(credentials.token)

    def refusal_of(self, address: str) -> str | None:
        """Telegram's own words for this are hard to understand; another Bot API server may deliver anywhere."""
        if not self._address.startswith(PUBLIC_ADDRESS):
            return None
        parts = urlsplit(address)
        if parts.scheme == "https" and (parts.port or 443) in _PORTS:
            return None
        return (
            f"Telegram delivers only to https addresses on port 443, 80, 88 or 8443, not to {address}; "
            "set TELEGRAM_WEBHOOK_BASE_URL, or poll."
        )

    def register_webhook(
        self, credentials: Credentials, registration: WebhookRegistration, *, drop_pending: bool = False
    ) -> None:
        """setWebhook."""
        self._administration.set_webhook(
            credentials.token, registration.address, registration.secret, drop_pending=drop_pending
        )

    def unregister_webhook(self, credentials: Credentials, *, drop_pending: bool = False) -> None:
        """deleteWebhook: from then on the bot can be polled."""
        self._administration.delete_webhook(credentials.token, drop_pending=drop_pending)

    def webhook_status(self, credentials: Credentials) -> WebhookStatus:
        """getWebhookInfo."""
        info = self._administration.get_webhook_info(credentials.token)
        return WebhookStatus(info.url, info.pending, info.last_error, info.last_error_at, info.allowed_updates)

    def chat(self, credentials: Credentials, chat_id: str) -> Chat:
        """getChat, by the chat's id or `@name`."""
        return self._administration.get_chat(credentials.token, chat_id)

    def members(self, credentials: Credentials, chat_id: str) -> list[Member]:
        """getChatAdministrators: a bot is told of nobody else."""
        return self._administration.get_chat_administrators(credentials.token, chat_id)

    def member(self, credentials: Credentials, chat_id: str, person_id: str) -> Member:
        """getChatMember, which works for others for certain only where the bot itself is an administrator."""
        return self._administration.get_chat_member(credentials.token, chat_id, person_id)

    def download(self, credentials: Credentials, file_id: str, sink: BinaryIO, *, max_bytes: int) -> int:
        """getFile, and the file itself."""
        return self._administration.download(credentials.token, file_id, sink, max_bytes=max_bytes)

    # --- what only bots have ---

    def updates(
        self, credentials: Credentials, *, offset: int | None = None, timeout: int = 25
    ) -> list[dict[str, Any]]:
        """getUpdates: those that wait, after up to `timeout` seconds; see `Administration.get_updates`."""
        return self._administration.get_updates(credentials.token, offset=offset, timeout=timeout)

    def set_commands(
        self, credentials: Credentials, commands: Sequence[BotCommand], *, language: str | None = None
    ) -> None:
        """setMyCommands, for people of this language (two letters), or for all others."""
        self._administration.set_my_commands(credentials.token, commands, language=language)


def provider(timeouts: Timeouts) -> TelegramProvider:
    """The provider at the address of the process's settings, over connections apart from those that send messages."""
    return _at(config.get().telegram_api_url, timeouts)


@lru_cache(maxsize=8)
def _at(address: str, timeouts: Timeouts) -> TelegramProvider:
    return TelegramProvider(address, Administration(BotClient(address, pool_size=4, timeouts=timeouts)))
