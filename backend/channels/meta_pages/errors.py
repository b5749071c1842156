"""What a refusal of a publishing call means: the platform's table with the entries of Pages and Instagram's feed
(Instagram Platform, "Error codes")."""

from __future__ import annotations

from typing import Any, Final

from backend.channels.errors import ChannelError
from backend.channels.graph.errors import PLATFORM, TRANSIENT_WAIT, ErrorTable, Refusal

__all__ = ["MEDIA_WAIT", "TABLE", "TRANSIENT_WAIT", "from_answer"]

MEDIA_WAIT: Final = 10.0

TABLE: Final[ErrorTable] = PLATFORM.with_entries(
    codes={
        80001: ("later", "rate_limited"),
        80002: ("later", "rate_limited"),
        506: ("rejected", "duplicate_post"),
        1609005: ("rejected", "link_refused_by_platform"),
        9004: ("rejected", "media_not_fetched"),
        9007: ("later", "media_processing"),
        36003: ("rejected", "picture_refused"),
    },
    subcodes={
        2207027: ("later", "media_processing"),  # the container is not ready to be published
        2207042: ("later", "quota_reached"),  # Instagram: posts in 24 hours
        2207050: ("disabled", "account_restricted"),
        2207051: ("rejected", "blocked_as_spam"),
        2207052: ("rejected", "media_not_fetched"),
        2207003: ("rejected", "media_not_fetched"),  # took too long to download
        2207004: ("rejected", "picture_too_large"),
        2207005: ("rejected", "picture_refused"),
        2207009: ("rejected", "picture_refused"),  # aspect ratio
        2207010: ("rejected", "text_too_long"),
        2207020: ("later", "container_expired"),
        2207008: ("later", "container_expired"),
    },
    waits={"media_processing": MEDIA_WAIT, "container_expired": MEDIA_WAIT},
)


def from_answer(status: int, body: Any, *, publishes: bool, retry_after: str | None = None) -> ChannelError:
    """The error that a refusal stands for. `publishes`: the call would have shown something, so what the platform
    itself is unsure of is unknown."""
    return TABLE.read(Refusal.of(status, body, publishes=publishes, retry_after=retry_after))
