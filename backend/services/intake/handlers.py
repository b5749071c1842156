"""What is done with an inbound event: two functions for each channel, in a registry.

`prepare` may ask the provider something, without a transaction and with a detached sender. `handle` does the rest in
the transaction that also ends the event, and gets what `prepare` returned.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from backend.channels import registry
from backend.channels.inbound import InboundEvent, Parked
from backend.models import Sender

Prepare = Callable[[Sender, InboundEvent], Any]
Handle = Callable[[Sender, InboundEvent, Any], None]

HANDLERS: Final[dict[str, tuple[Prepare, Handle]]] = {}


def register(channel: str, prepare: Prepare, handle: Handle) -> None:
    """Has a channel's events handled by these two functions."""
    HANDLERS[channel] = (prepare, handle)


def handlers_of(channel: str) -> tuple[Prepare, Handle]:
    """The two functions for a channel's events. Raises KeyError for a channel that has none."""
    return HANDLERS[channel]


def parse(channel: str, piece: bytes) -> Sequence[InboundEvent]:
    """What a stored item says, by its channel's spec. Raises KeyError for an unknown channel."""
    webhook = registry.spec(channel).webhook
    return [Parked("no_webhook")] if webhook is None else webhook.parse(piece)
