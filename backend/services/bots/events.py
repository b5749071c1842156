"""Events about the bots' health, published in the transaction that keeps the finding."""

from __future__ import annotations

from dataclasses import dataclass

from backend.core.events import Event


@dataclass(frozen=True, slots=True)
class HealthCheckFailed(Event):
    """A bot's check failed for `code`, again or for the first time."""

    workspace_id: int
    sender_id: int
    bot_name: str
    code: str


@dataclass(frozen=True, slots=True)
class HealthCheckRecovered(Event):
    """A bot's check succeeded after it had failed."""

    workspace_id: int
    sender_id: int
    bot_name: str
