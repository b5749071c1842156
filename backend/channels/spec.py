"""What a channel's folder declares about itself: the values that everything outside of the folder goes by.

The web process, the intake, the senders and the diagnostics iterate over the specs of `channels.registry`. A spec
holds plain values and functions of plain values: no database, no request, no network call.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from backend.channels.base import Channel
from backend.channels.capabilities import Capabilities, ReplyWindow, Sizes
from backend.channels.inbound import InboundEvent
from backend.channels.provider import Provider
from backend.channels.transport import Timeouts

if TYPE_CHECKING:
    from backend.core.config import Settings

UNPARSABLE: Final = "unparsable"
MAX_KEY: Final = 200
"""Characters of an item's keys and kind."""
_PLACEHOLDER: Final = "{sender_id}"


@dataclass(frozen=True, slots=True)
class Item:
    """One event of a webhook's body, before it is understood.

    `recipient_id` is the provider's id of the sender that it is for; None where the address says whose it is.
    `dedupe_key` is equal for the same event delivered twice and differs otherwise, within one sender.
    `conversation_key` is equal for events that must be processed in order; it holds a provider's id of a person, so a
    caller stores its keyed hash. `kind` is the provider's word for the event, or `UNPARSABLE`. Keys and kind are never
    empty and at most `MAX_KEY` characters. `piece` is what is stored: a body that holds only this item, so that
    splitting it gives this item again.
    """

    recipient_id: str | None
    dedupe_key: str
    conversation_key: str
    kind: str
    piece: bytes


@dataclass(frozen=True, slots=True)
class WebhookRoute:
    """An address that a provider calls, with or without a final slash.

    `path` may hold `{sender_id}`, our id of a sender; an address without it belongs to the sender of the environment.
    Providers are told the path as it is written here.
    """

    path: str

    @property
    def names_sender(self) -> bool:
        """Whether the address says which sender is meant."""
        return _PLACEHOLDER in self.path

    @property
    def rule(self) -> str:
        """The address as Flask and the logs write it."""
        return self.path.rstrip("/").replace(_PLACEHOLDER, "<int:sender_id>")

    @property
    def pattern(self) -> re.Pattern[str]:
        """Matches the address; the group `sender_id` is the sender's."""
        before, _, after = self.path.rstrip("/").partition(_PLACEHOLDER)
        middle = "(?P<sender_id>[0-9]{1,18})" if self.names_sender else ""
        return re.compile(f"{re.escape(before)}{middle}{re.escape(after)}/?")

    def address(self, sender_id: int) -> str:
        """The path for one sender."""
        return self.path.replace(_PLACEHOLDER, str(sender_id))


Verify = Callable[[Mapping[str, str], bytes, Sequence[str]], bool]
Split = Callable[[bytes], list[Item]]
Parse = Callable[[bytes], Sequence[InboundEvent]]
Handshake = Callable[[Mapping[str, str], Sequence[str]], str | None]


@dataclass(frozen=True, slots=True)
class Webhook:
    """How a channel's provider calls us.

    `verify(headers, raw_body, secrets)` says whether a request is genuine by one of the secrets, over the raw bytes and
    in constant time; header names are matched whatever their case, empty secrets refuse. `split(body)` gives the items
    in the body's order, one at least. `parse(piece)` gives what happened, in order; what is malformed is `Parked`, what
    is unknown `Ignored`. None of the three raises, whatever the bytes.
    """

    routes: tuple[WebhookRoute, ...]
    verify: Verify
    split: Split
    parse: Parse
    headers: frozenset[str]
    """The headers that `verify` reads, in lower case."""
    max_bytes: int
    """The largest body that is taken; a larger one is answered with 413."""
    header_only: bool = False
    """Whether `verify` needs no body: then a request is refused before its body is read, and small ones are taken by
    the web process's fast path."""
    secret_settings: tuple[str, ...] = ()
    """The sender's settings that hold secrets with which a request may be signed."""
    token_settings: tuple[str, ...] = ()
    """The sender's settings that hold the tokens of a handshake."""
    handshake: Handshake | None = None
    """`handshake(query, tokens)`: what a GET is answered with, as plain text; None refuses with 403. Where there is no
    such function a GET is 405."""
    chooses_secret: bool = False
    """Whether we choose the secret of a sender of the database, and its provider is told by registering; where it is
    false the provider chooses, and a person enters it as a setting."""
    secret_missing: str = "The webhook of this sender needs its secret to be set."  # noqa: S105 - a message
    """What is said where a webhook without a secret is to be registered."""
    unknown_sender: tuple[str, str] = ("no_such_sender", "There is no such sender here.")
    """Code and message of the 404 for an address without a sender."""
    wrong_secret: str = "The signature is missing or wrong."  # noqa: S105 - a message
    too_large: str = "A body holds at most {max_bytes} bytes."

    def route(self, *, names_sender: bool) -> WebhookRoute | None:
        """The address of a sender of its own, or of the environment's; None where there is none."""
        return next((route for route in self.routes if route.names_sender is names_sender), None)


@dataclass(frozen=True, slots=True)
class EnvironmentSender:
    """What the environment says of a channel's sender: the settings by their names, secrets among them."""

    token: str = field(repr=False)
    external_id: str | None = None
    settings: Mapping[str, str] = field(default_factory=dict, repr=False)


def no_id(token: str) -> str | None:
    """The id of a channel whose tokens do not tell whose they are."""
    return None


def no_environment(settings: Settings) -> EnvironmentSender | None:
    """The sender of a channel for which the environment has no variables."""
    return None


@dataclass(frozen=True, slots=True)
class ChannelSpec:
    """A channel, as its folder declares it.

    `family` is equal for channels that share their people's ids. `create` makes the client, once in a process: see
    `channels.base.Channel`. `reply_window` is None where one may always answer.
    """

    name: str
    family: str
    create: Callable[[], Channel]
    capabilities: Capabilities
    sizes: Sizes
    webhook: Webhook | None = None
    reply_window: ReplyWindow | None = None
    keeps_connection: bool = False
    """Whether each of its senders keeps a connection of its own, which the process `sessions` holds under its lease."""
    people_per_sender: bool = False
    """Whether a person has another id at each sender (a page, a number)."""
    environment: Callable[[Settings], EnvironmentSender | None] = no_environment
    id_in_token: Callable[[str], str | None] = no_id
    """The provider's id of the sender, where a token begins with it; None for what is not such a token."""
    provider: Callable[[Timeouts], Provider] | None = None
    """Makes what is asked and told about senders, within these times; called often, so it remembers what it made. None
    where the client's `probe` is all there is."""
