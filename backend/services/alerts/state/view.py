"""An alert as its readers see it: plain values, of which its texts are made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from backend.services.alerts.state.reach import NOWHERE, Reach


@dataclass(frozen=True, slots=True)
class ItemView:
    """One thing that is wrong. `body` is neutral rich text, however broken."""

    title: str
    body: str
    severity: str
    labels: Mapping[str, str]
    count: int
    resolved: bool = False
    silenced_until: datetime | None = None
    url: str | None = None


@dataclass(frozen=True, slots=True)
class View:
    """An alert as its readers see it."""

    id: int
    title: str
    severity: str
    state: str
    labels: Mapping[str, str]
    items: Sequence[ItemView]
    opened_at: datetime
    """When it began."""
    grouped: bool = False
    by_name: str | None = None
    since: datetime | None = None
    """When it came into its present state."""
    snoozed_until: datetime | None = None
    silenced_until: datetime | None = None
    resolved_code: str | None = None
    more: int = 0
    links: Sequence[Mapping[str, str]] = field(default=())
    note: str | None = None
    """Why it comes (again): a code."""
    bot_name: str = ""
    code: str | None = None
    """Why its own channel failed, for admins who get it in its place."""
    reach: Reach = NOWHERE
    is_monitored: bool = False
    """Whether a monitoring system made it, and its links by its own idea of where it is."""
