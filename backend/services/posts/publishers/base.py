"""What a publisher offers, and what it is given."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Protocol

from backend.channels.meta_pages import Published
from backend.core.errors import Invalid
from backend.models import Post

FILES: Final = "files"
"""Where a post's progress keeps the files that were fetched, by their addresses, once all are there."""
FILES_SO_FAR: Final = "fetched"
"""Where it keeps them until then."""
PREPARING: Final = "preparing"
"""The reason of a post for which something is done before it can be published."""


@dataclass(frozen=True, slots=True)
class Draft:
    """What is to be published, as far as it can be judged before."""

    workspace_id: int
    content: str
    media: Sequence[Mapping[str, Any]]
    target: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Plan:
    """A post read for publishing, without the row: no transaction is open while a platform is asked."""

    workspace_id: int
    post_id: int
    publisher: str
    content: str
    media: tuple[dict[str, Any], ...]
    target: dict[str, Any]
    progress: dict[str, Any]
    updated_at: datetime

    @classmethod
    def of(cls, post: Post) -> Plan:
        """The plan of this row."""
        media = tuple(dict(item) for item in post.media)
        return cls(
            post.workspace_id,
            post.id,
            post.publisher or "",
            post.content,
            media,
            dict(post.target),
            dict(post.progress),
            post.updated_at,
        )


@dataclass(frozen=True, slots=True)
class Prepared:
    """What is done already, to be kept with the post; with `wait` in seconds where the platform is not ready yet.

    Where `needs_files` is set, the media that are given as addresses have to be fetched first.
    """

    progress: dict[str, Any]
    wait: float | None = None
    code: str | None = None
    needs_files: bool = False


class Publisher(Protocol):
    """One way to publish."""

    def is_available(self, workspace_id: int) -> bool:
        """Whether this can publish for the workspace at all."""
        ...

    def check(self, draft: Draft) -> None:
        """Raises AppError (a clear 4xx) for what could never be published. Asks no platform."""
        ...

    def prepare(self, plan: Plan) -> Prepared:
        """Does what has to be done before, and may be done twice. Without a transaction, in the workspace's scope.
        Raises ChannelError."""
        ...


class HandingOver(Publisher, Protocol):
    """Stores what is to be done in the transaction that begins the try; something else does it."""

    def hand_over(self, post: Post) -> None:
        """Stores it in the caller's transaction. Raises AppError where it cannot be done."""
        ...


class Calling(Publisher, Protocol):
    """Calls the platform, between the transaction that begins the try and the one that records its outcome."""

    def publish(self, plan: Plan, deadline: float) -> Published:
        """The call that publishes; nothing is written to a socket at or after `deadline` (`time.monotonic()`).
        Raises ChannelError."""
        ...


def missing_addresses(media: Iterable[Mapping[str, Any]], progress: Mapping[str, Any]) -> dict[str, tuple[int, str]]:
    """The addresses that are still to be fetched, each with the position and kind of its first use."""
    there = progress.get(FILES) or progress.get(FILES_SO_FAR, {})
    missing: dict[str, tuple[int, str]] = {}
    for position, item in enumerate(media):
        if item.get("url") is not None and item["url"] not in there:
            missing.setdefault(item["url"], (position, item["kind"]))
    return missing


def require_text(draft: Draft, most: int) -> None:
    """Raises Invalid for more text than the platform takes."""
    if len(draft.content) > most:
        raise Invalid.of("content", "text_too_long", f"This platform takes at most {most:,} characters.")
