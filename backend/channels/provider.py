"""What a channel's provider can be asked and told about a sender, apart from messages: the interface and its values.

A channel's spec names a function that makes its `Provider`; one instance serves all threads and all senders.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import BinaryIO

from backend.channels.base import Channel, Credentials, SenderFacts
from backend.channels.errors import Rejected
from backend.channels.inbound import Chat, Person

NOT_SUPPORTED = "not_supported"
"""The code by which a channel refuses what its provider does not have."""


@dataclass(frozen=True, slots=True)
class WebhookRegistration:
    """What a provider is told: where to call, the secret that is to prove its requests, and the token that its
    handshake has to name. Secret and token are empty where there is none."""

    address: str
    secret: str = field(default="", repr=False)
    token: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class WebhookStatus:
    """Where a provider delivers events, and how that goes. `url` is empty where it delivers none; `pending` counts the
    events that wait there, as far as it tells; `events` are the kinds it delivers, empty for its usual ones."""

    url: str
    pending: int = 0
    last_error: str | None = None
    last_error_at: datetime | None = None
    events: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Member:
    """A person in a chat of several people. `status` is the provider's own word for what they are there."""

    person: Person
    is_admin: bool
    status: str = ""


class Provider:
    """A provider, asked and told about senders by their credentials.

    A channel's folder derives from it and overrides what its provider has; `probe` is had by all. Everything else is
    refused with Rejected(`not_supported`) by default, without a request. Every method makes a network call and raises
    one of the five errors, and nothing else; what only asks may always be asked again.
    """

    @property
    def address(self) -> str:
        """Where the provider is reached. What hangs at one address is left alone there, by whatever channel."""
        return ""

    def probe(self, credentials: Credentials) -> SenderFacts:
        """Who the credentials belong to. Raises SenderDisabled for those that are not accepted."""
        raise _not_supported()

    def refusal_of(self, address: str) -> str | None:
        """Why the provider would not deliver to this address, in words for a person; None where it would. No call."""
        return None

    def register_webhook(
        self, credentials: Credentials, registration: WebhookRegistration, *, drop_pending: bool = False
    ) -> None:
        """Has the sender's events delivered there. With `drop_pending` those that wait are forgotten."""
        raise _not_supported()

    def unregister_webhook(self, credentials: Credentials, *, drop_pending: bool = False) -> None:
        """Ends the deliveries."""
        raise _not_supported()

    def webhook_status(self, credentials: Credentials) -> WebhookStatus:
        """Where the sender's events are delivered."""
        raise _not_supported()

    def chat(self, credentials: Credentials, chat_id: str) -> Chat:
        """A chat as the provider shows it to this sender. Raises RecipientUnreachable for one that it does not."""
        raise _not_supported()

    def members(self, credentials: Credentials, chat_id: str) -> list[Member]:
        """The members of a chat that the provider names, administrators among them: some name no others."""
        raise _not_supported()

    def member(self, credentials: Credentials, chat_id: str, person_id: str) -> Member:
        """What one person is in a chat. Rejected and RecipientUnreachable say that the provider does not tell."""
        raise _not_supported()

    def download(self, credentials: Credentials, file_id: str, sink: BinaryIO, *, max_bytes: int) -> int:
        """Writes a file that somebody sent into `sink`; returns its size in bytes. Raises Rejected(`file_too_large`)
        over `max_bytes` (some of it may be written by then), Rejected(`file_gone`)."""
        raise _not_supported()

    def take_control(self, credentials: Credentials, chat_id: str) -> None:
        """Takes a chat from the application that is in charge of it, so that we may answer there."""
        raise _not_supported()

    def pass_control(self, credentials: Credentials, chat_id: str, application_id: str) -> None:
        """Leaves a chat to another application, which is in charge of it from then on."""
        raise _not_supported()


class ProbeOnly(Provider):
    """The provider of a channel whose client can only be asked who a sender is."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    def probe(self, credentials: Credentials) -> SenderFacts:
        """As the channel's client answers."""
        return self._channel.probe(credentials)


def _not_supported() -> Rejected:
    return Rejected(NOT_SUPPORTED)
