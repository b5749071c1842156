"""The example provider, asked about accounts: whose a token is, the webhook, chats with their members, files.

It cannot be asked about a single member of a chat.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, BinaryIO, cast

from backend.channels import registry
from backend.channels.base import Credentials, SenderFacts
from backend.channels.errors import OutcomeUnknown, Rejected
from backend.channels.inbound import Chat, Person
from backend.channels.provider import Member, Provider, WebhookRegistration, WebhookStatus
from backend.channels.transport import Timeouts
from tests.channels.example_channel.client import ExampleClient


class ExampleProvider(Provider):
    """See `backend.channels.provider.Provider`."""

    def __init__(self, client: ExampleClient) -> None:
        self._client = client

    @property
    def address(self) -> str:
        return self._client.url

    def probe(self, credentials: Credentials) -> SenderFacts:
        return self._client.probe(credentials)

    def refusal_of(self, address: str) -> str | None:
        return None if address.startswith(("https://", "http://127.0.0.1:")) else "It delivers to https addresses only."

    def register_webhook(
        self, credentials: Credentials, registration: WebhookRegistration, *, drop_pending: bool = False
    ) -> None:
        given = {"url": registration.address, "verify_token": registration.token, "drop": drop_pending}
        self._confirmed(self._client.call(credentials, "POST", "/webhook", given))

    def unregister_webhook(self, credentials: Credentials, *, drop_pending: bool = False) -> None:
        self._confirmed(self._client.call(credentials, "DELETE", "/webhook", {"drop": drop_pending}))

    def webhook_status(self, credentials: Credentials) -> WebhookStatus:
        status = self._client.call(credentials, "GET", "/webhook", None)
        return WebhookStatus(_text(status, "url"), int(status.get("waiting") or 0))

    def chat(self, credentials: Credentials, chat_id: str) -> Chat:
        chat = self._client.call(credentials, "GET", f"/chats/{chat_id}", None)
        return Chat(_text(chat, "id"), "group", title=_text(chat, "title"))

    def members(self, credentials: Credentials, chat_id: str) -> list[Member]:
        listed = self._client.call(credentials, "GET", f"/chats/{chat_id}/members", None).get("members")
        if not isinstance(listed, list) or not all(isinstance(member, dict) for member in listed):
            raise OutcomeUnknown("unreadable_answer")
        return [
            Member(Person(_text(member, "id"), _text(member, "name")), member.get("admin") is True) for member in listed
        ]

    def download(self, credentials: Credentials, file_id: str, sink: BinaryIO, *, max_bytes: int) -> int:
        content = self._client.file(credentials, file_id)
        if len(content) > max_bytes:
            raise Rejected("file_too_large")
        return sink.write(content)

    def _confirmed(self, answer: Mapping[str, Any]) -> None:
        if answer.get("done") is not True:
            raise OutcomeUnknown("unreadable_answer")


def provider(timeouts: Timeouts) -> ExampleProvider:
    """The provider where the registered client reaches it."""
    client = cast(ExampleClient, registry.get("example"))
    return ExampleProvider(ExampleClient(client.url, timeouts))


def _text(value: Mapping[str, Any], name: str) -> str:
    text = value.get(name)
    if not isinstance(text, str):
        raise OutcomeUnknown("unreadable_answer")
    return text
