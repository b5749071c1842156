"""WhatsApp, asked and told about numbers: whose a token is, where events go, files that people sent."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import BinaryIO, Final
from urllib.parse import urlsplit

from backend.channels.base import Credentials, SenderFacts
from backend.channels.errors import ChannelError, OutcomeUnknown, Rejected
from backend.channels.graph import GraphApi, GraphClient, reading
from backend.channels.graph.errors import Refusal
from backend.channels.provider import Provider, WebhookRegistration, WebhookStatus
from backend.channels.transport import Timeouts
from backend.channels.whatsapp import administration, errors
from backend.core import config

_PUBLIC: Final = "https://graph.facebook.com"
_HOSTS: Final = ("facebook.com", "fbsbx.com", "fbcdn.net", "whatsapp.net")
"""Where the public platform keeps files: the token goes nowhere else."""
_FILE_ID: Final = re.compile(r"[0-9A-Za-z_\-]{1,200}", re.ASCII)
_TRIES: Final = 2
_MAX_ADDRESS: Final = 200


class WhatsAppProvider(Provider):
    """See `backend.channels.provider.Provider`; `client` gives what only WhatsApp has (`administration`)."""

    def __init__(self, api: GraphApi) -> None:
        self.api = api

    @property
    def address(self) -> str:
        return self.api.base_url

    def client(self, credentials: Credentials) -> GraphClient:
        """The Graph API with the sender's token, for the functions of `administration`."""
        return self.api.client(credentials.token)

    def probe(self, credentials: Credentials) -> SenderFacts:
        return administration.facts(self.client(credentials), credentials)

    def refusal_of(self, address: str) -> str | None:
        if len(address) > _MAX_ADDRESS:
            return f"Meta takes addresses of at most {_MAX_ADDRESS} characters."
        if self.api.base_url == _PUBLIC and urlsplit(address).scheme != "https":
            return f"Meta delivers only to https addresses, not to {address}."
        return None

    def register_webhook(
        self, credentials: Credentials, registration: WebhookRegistration, *, drop_pending: bool = False
    ) -> None:
        """Subscribes first: another address is refused before."""
        client = self.client(credentials)
        administration.subscribe(client, credentials)
        administration.override(client, credentials, registration.address, registration.token)

    def unregister_webhook(self, credentials: Credentials, *, drop_pending: bool = False) -> None:
        administration.unsubscribe(self.client(credentials), credentials)

    def webhook_status(self, credentials: Credentials) -> WebhookStatus:
        """The address of its own, where one was given; else empty, though the application's own may hear of it."""
        apps = administration.subscribed(self.client(credentials), credentials)
        addresses = [reading.text(app.get("override_callback_uri"), 1000) for app in apps]
        return WebhookStatus(next(filter(None, addresses), ""))

    def download(self, credentials: Credentials, file_id: str, sink: BinaryIO, *, max_bytes: int) -> int:
        """The file's address is asked for, because one is good for five minutes, and asked for again where it is no
        longer. Only there the token is shown, and never where a redirect leads."""
        client = self.client(credentials)
        if not _FILE_ID.fullmatch(file_id):
            raise Rejected("file_gone")
        for _ in range(_TRIES):
            address = self._address_of(client, credentials, file_id)
            size = self._fetch(client, address, sink, max_bytes)
            if size is not None:
                return size
        raise Rejected("file_gone")

    def _address_of(self, client: GraphClient, credentials: Credentials, file_id: str) -> str:
        params = {"phone_number_id": credentials.external_id} if credentials.external_id else None
        try:
            answer = client.get(file_id, params=params)
        except Rejected:
            raise Rejected("file_gone") from None
        address = reading.text(answer.get("url"), 4000)
        if not address:
            raise OutcomeUnknown("unreadable_answer")
        if not self._may_see_token(address):
            raise Rejected("file_address_refused")
        return address

    def _may_see_token(self, address: str) -> bool:
        try:
            parts = urlsplit(address)
            host = parts.hostname or ""
        except ValueError:
            return False
        if parts.scheme not in ("https", "http") or not address.isascii() or not address.isprintable():
            return False
        if self.api.base_url != _PUBLIC:
            # Another Graph API than the public one: its operator chose it, and whom it names.
            return True
        return parts.scheme == "https" and any(host == name or host.endswith(f".{name}") for name in _HOSTS)

    def _fetch(self, client: GraphClient, address: str, sink: BinaryIO, max_bytes: int) -> int | None:
        """The file's size; None where the address is no longer good."""
        size, failure = 0, None
        with self.api.transport.stream("GET", address, headers=client.headers(), timeouts=self.api.timeouts) as (
            answer,
            chunks,
        ):
            if answer.status == 200:
                for chunk in chunks:
                    if size + len(chunk) > max_bytes:
                        raise Rejected("file_too_large")
                    size += sink.write(chunk)
                return size
            if answer.status not in (401, 403, 404, 410):
                failure = errors.read(Refusal.of(answer.status, None, retry_after=answer.headers.get("retry-after")))
        if failure is not None:
            raise _certain(failure)
        return None


def _certain(failure: ChannelError) -> ChannelError:
    """A refusal without a code is not the message's fault but of whatever answered."""
    return Rejected("file_gone") if isinstance(failure, Rejected) else failure


def provider(timeouts: Timeouts) -> WhatsAppProvider:
    """The provider at the address of the process's settings, over connections apart from those that send messages."""
    settings = config.get()
    return _at(settings.meta_graph_url, settings.meta_api_version, timeouts)


@lru_cache(maxsize=8)
def _at(address: str, version: str, timeouts: Timeouts) -> WhatsAppProvider:
    return WhatsAppProvider(GraphApi(address, version, pool_size=4, timeouts=timeouts, read_refusal=errors.read))
