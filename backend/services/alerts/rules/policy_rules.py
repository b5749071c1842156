"""What a policy says, as plain values."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rules:
    """A policy as the decisions see it. Durations are seconds; None means never."""

    group_by: tuple[str, ...] = ()
    group_wait: int = 0
    group_interval: int = 300
    repeat_interval: int | None = None
    acknowledged_for: int | None = 86_400
    quiet_after: int | None = 86_400
    escalate_after: int | None = None
    quiet_recoveries: bool = True
    resolve_reply: bool = False
