"""What a channel can do and how much it takes, as plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Literal

Unit = Literal["characters", "utf16", "bytes"]
MARGIN: Final = timedelta(seconds=60)
"""How long before the end of a window one stops answering, because clocks differ and a request takes time."""


@dataclass(frozen=True, slots=True)
class Length:
    """The most that a text may have, in code points, UTF-16 units or bytes of UTF-8."""

    most: int
    unit: Unit = "characters"

    def of(self, text: str) -> int:
        """The length of this text."""
        if self.unit == "bytes":
            return len(text.encode("utf-8", "surrogatepass"))
        if self.unit == "utf16":
            return len(text.encode("utf-16-le", "surrogatepass")) // 2
        return len(text)

    def fits(self, text: str) -> bool:
        """Whether this text is short enough."""
        return self.of(text) <= self.most


@dataclass(frozen=True, slots=True)
class Sizes:
    """How large one operation may be. `media_bytes` is by kind of media; a kind that is missing cannot be sent."""

    text: Length
    caption: Length | None = None
    media_bytes: Mapping[str, int] = field(default_factory=dict)
    buttons: int = 0
    button_text: Length | None = None
    button_data: Length | None = None


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What the provider offers for a conversation. `receipts` are the states beyond `sent` that it reports."""

    edit: bool = False
    delete: bool = False
    typing: bool = False
    formatting: bool = False
    groups: bool = False
    topics: bool = False
    templates: bool = False
    reply_to: bool = False
    echoes: bool = False
    """Whether what is sent from elsewhere for the same sender is reported."""
    client_ref: bool = False
    """Whether receipts or echoes carry our own id of the operation back."""
    idempotent_sends: bool = False
    """Whether a send carries a number that we choose, so that its repetition says nothing twice."""
    receipts: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class ReplyWindow:
    """For how long one may answer, by what opened the window: `{"message_24h": timedelta(hours=24)}`.

    `by_message` is what each message of a person opens.
    """

    lengths: Mapping[str, timedelta]
    by_message: str = "message_24h"

    @property
    def after_message(self) -> timedelta:
        """For how long one may answer a person's message; `MARGIN` is taken off."""
        return self.lengths[self.by_message] - MARGIN

    def until(self, opened_at: datetime, reason: str) -> datetime:
        """When answering ends, for a window that was opened at this time; `MARGIN` is taken off. Raises KeyError for
        a reason that the channel does not know."""
        return opened_at + self.lengths[reason] - MARGIN
