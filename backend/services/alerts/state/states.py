"""What people may do with an alert, and what comes of it: a pure function with a table of cases."""

from __future__ import annotations

from typing import Final, Literal

from backend.services.alerts.state.timing import State

Action = Literal["ack", "unack", "snooze", "wake", "resolve", "reopen"]
ACTIONS: Final[tuple[Action, ...]] = ("ack", "unack", "snooze", "wake", "resolve", "reopen")

_NEXT: Final[dict[Action, dict[State, State]]] = {
    "ack": {"firing": "acknowledged", "snoozed": "acknowledged"},
    "unack": {"acknowledged": "firing"},
    "snooze": {"firing": "snoozed", "acknowledged": "snoozed", "snoozed": "snoozed"},
    "wake": {"snoozed": "firing"},
    "resolve": {"firing": "resolved", "acknowledged": "resolved", "snoozed": "resolved"},
    "reopen": {"resolved": "firing"},
}
DONE: Final[dict[Action, str]] = {
    "ack": "acknowledged",
    "unack": "unacknowledged",
    "snooze": "snoozed",
    "wake": "awake",
    "resolve": "resolved",
    "reopen": "reopened",
}
"""What the trace and the audit call it."""


def after(state: State, action: Action) -> State | None:
    """The state that follows; None where the action changes nothing (it is so already) or comes too late."""
    return _NEXT[action].get(state)


def too_late(state: State, action: Action) -> bool:
    """Whether the alert is over, so that the action has nothing to act on."""
    return state == "resolved" and action not in ("resolve", "reopen")
