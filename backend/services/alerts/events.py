"""Events about alerts, published in the transaction that changes them."""

from __future__ import annotations

from dataclasses import dataclass

from backend.core.events import Event


@dataclass(frozen=True, slots=True)
class AlertChanged(Event):
    """Something happened to an alert: `what` is the word of its history."""

    workspace_id: int
    alert_id: int
    what: str


@dataclass(frozen=True, slots=True)
class AlertUndelivered(Event):
    """An alert did not get through by its own way, for `code`."""

    workspace_id: int
    alert_id: int
    code: str
