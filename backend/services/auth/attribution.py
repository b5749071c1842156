"""Who did something, and by which way: what the audit, an alert's trace and the job history keep."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Attribution:
    """Who did something. Plain values, so that any layer can be told.

    `via` is the way: `api`, `console`, `telegram` (a button or a command), `cli`, `python` (a host application's code
    in this process), `schedule`, `system`, or the monitoring system that reported. `label` is the audit's word for the
    actor: `user:1`, `token:3`, `cli`, `telegram`, `python`, `system`. A person is named by id, and by name where it is
    shown; both are None where it was nobody.
    """

    via: str
    label: str
    user_id: int | None = None
    name: str | None = None


SYSTEM: Final = Attribution("system", "system")
"""The product itself: time has passed."""
COMMAND_LINE: Final = Attribution("cli", "cli")
"""Whoever runs `flask` commands."""
HOST_APPLICATION: Final = Attribution("python", "python")
"""A host application's code in this process."""
TELEGRAM: Final = Attribution("telegram", "telegram")
"""Somebody who pressed a button or wrote a command in a chat of theirs."""


def of_user(user_id: int, via: str = "api") -> Attribution:
    """A person who acts for themself, before or without being signed in."""
    return Attribution(via, f"user:{user_id}", user_id)
