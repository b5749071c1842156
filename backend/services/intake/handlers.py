"""What is done with an inbound event: two functions for each channel, in a registry.

`prepare` may ask the provider something, without a transaction and with a detached sender. `handle` does the rest in
the transaction that also ends the event, and gets what `prepare` returned.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

from backend.channels import registry
from backend.channels.inbound import InboundEvent, Parked
from backend.models import Sender
from backend.services.intake.shared_events import handle_plainly, handle_shared, prepare_nothing

Prepare = Callable[[Sender, InboundEvent], Any]
Handle = Callable[[Sender, InboundEvent, Any], None]

HANDLERS: Final[dict[str, tuple[Prepare, Handle]]] = {}


def register(channel: str, prepare: Prepare, handle: Handle) -> None:
    """Has a channel's events handled by these two functions."""
    HANDLERS[channel] = (prepare, handle)


def handlers_of(channel: str) -> tuple[Prepare, Handle]:
    """The two functions for a channel's events; receipts, watermarks and echoes are handled alike on all channels, and
    what people write to a channel without functions of its own is kept."""
    prepare, handle = HANDLERS.get(channel, _PLAIN)
    return prepare, partial(_handle, handle)


def _handle(own: Handle, sender: Sender, event: InboundEvent, facts: Any) -> None:
    if not handle_shared(sender, event):
        own(sender, event, facts)


_PLAIN: Final[tuple[Prepare, Handle]] = (prepare_nothing, handle_plainly)


def parse(channel: str, piece: bytes) -> Sequence[InboundEvent]:
    """What a stored item says, by its channel's spec. Raises KeyError for an unknown channel."""
    webhook = registry.spec(channel).webhook
    return [Parked("unparsable")] if webhook is None else webhook.parse(piece)
