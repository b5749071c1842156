"""What becomes of an event: a pure function of what is known about the person, their preferences and the time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Literal

from backend.services.texts.quiet_hours import QuietHours, quiet_until

Verdict = Literal["queued", "deferred", "suppressed"]
LinkState = Literal["none", "active", "paused", "blocked", "disabled"]
"""`paused`: the person told the bot to stop. `blocked`: they block the bot, or the chat cannot be written to.
`disabled`: the person may no longer use this workspace."""


@dataclass(frozen=True, slots=True)
class DeliveryPreferences:
    """What the person wants. `quiet` are hours in `zone`."""

    muted: bool = False
    quiet: QuietHours | None = None
    zone: tzinfo = UTC


@dataclass(frozen=True, slots=True)
class LastSent:
    """What was last told about a subject. `version` is None where the reporter never gave one."""

    version: int | None


@dataclass(frozen=True, slots=True)
class Decision:
    """`reason` is a code, None for what is simply queued; `until` (UTC) when a deferred message goes out."""

    decision: Verdict
    reason: str | None = None
    until: datetime | None = None


QUEUED = Decision("queued")


def decide(
    *,
    link: LinkState,
    preferences: DeliveryPreferences,
    critical: bool,
    now: datetime,
    version: int | None = None,
    last_sent: LastSent | None = None,
) -> Decision:
    """Decides on one event; `last_sent` is None for the first of its subject.

    `critical` passes mutes and quiet hours; it does not pass a person's `/stop` and cannot pass a block or a disabling.
    """
    if link == "none":
        return Decision("suppressed", "not_linked")
    if link in ("blocked", "disabled"):
        return Decision("suppressed", link)
    if is_stale(version, last_sent):
        return Decision("suppressed", "stale_version")
    if link == "paused":
        return Decision("suppressed", "paused")
    if critical:
        return QUEUED
    if preferences.muted:
        return Decision("suppressed", "muted")
    until = quiet_until(preferences.quiet, preferences.zone, now) if preferences.quiet else None
    return Decision("deferred", "quiet_hours", until) if until else QUEUED


def is_stale(version: int | None, last_sent: LastSent | None) -> bool:
    """Whether the person was already told this version or a later one. Without a version an event is always newer."""
    return (
        version is not None and last_sent is not None and last_sent.version is not None and version <= last_sent.version
    )
