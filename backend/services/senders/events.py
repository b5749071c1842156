"""Events about senders, published in the system scope."""

from __future__ import annotations

from dataclasses import dataclass

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
