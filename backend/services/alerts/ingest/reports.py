"""What comes in, as plain values: a report of one thing, a group of reports, and the outcome for who reported."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class Report:
    """One thing that is wrong, or over. `body` is neutral rich text; `links` are `{"text", "url"}`."""

    key: bytes
    severity: str
    title: str
    body: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    links: Sequence[Mapping[str, str]] = ()
    firing: bool = True
    started_at: datetime | None = None
    """When the reporting system says that it began (UTC)."""
    ended_at: datetime | None = None
    """When it says that it was over (UTC)."""


@dataclass(frozen=True, slots=True)
class Group:
    """What is reported together. `key` and `title` are given where the reporting system groups by itself.

    A group that `follows` goes to the open alert that has one of its things already: its `key` does not last.
    """

    source: str
    bot_name: str
    reports: Sequence[Report]
    key: bytes | None = None
    follows: bool = True
    title: str | None = None
    labels: Mapping[str, str] | None = None
    links: Sequence[Mapping[str, str]] = ()
    chat_ids: Sequence[str] = ()
    attachment: Mapping[str, Any] | None = None
    more: int = 0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a report did: `decision` is sent, partial (not all of its chats can be reached, for `reason`), grouped,
    counted, silenced, undelivered, resolved or ignored."""

    decision: str
    reason: str | None = None
    alert_id: int | None = None
    level: str | None = None
    message_ids: tuple[int, ...] = ()
    count: int = 0
    repaired: tuple[str, ...] = ()
    """Codes of what could not be taken as it was sent."""
