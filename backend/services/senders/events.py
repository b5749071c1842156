"""Events about senders, published in the system scope."""

from __future__ import annotations

from dataclasses import dataclass

from backend.channels.inbound import AccountChanged
from backend.core.events import Event


@dataclass(frozen=True, slots=True)
class SenderStopped(Event):
    """A provider refuses a sender for `code`: nothing more goes out by it until a person acts."""

    sender_id: int
    code: str


@dataclass(frozen=True, slots=True)
class SenderPaused(Event):
    """A provider asks a sender to rest for longer than `senders.LONG_PAUSE`."""

    sender_id: int
    code: str


@dataclass(frozen=True, slots=True)
class SenderIdentified(Event):
    """It has become known which account a sender speaks for."""

    sender_id: int


@dataclass(frozen=True, slots=True)
class SenderReported(Event):
    """A provider said something about a sender itself: its quality, its limits, a template's state."""

    sender_id: int
    change: AccountChanged
