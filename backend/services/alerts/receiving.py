"""Taking what a monitoring system reports, into the workspace of the token it came with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from backend.services.alerts import raising, receivers, reporting
from backend.services.alerts.history import By
from backend.services.alerts.reporting import Outcome


def receive(workspace_id: int, source: str, body: Mapping[str, Any], by: By, *, bot_name: str | None = None) -> Outcome:
    """Takes the body as one group, in the workspace's scope and the caller's transaction.

    Sent again, it counts and makes no second sound. Raises Invalid for a body without alerts, NotFound for a bot
    that was named and is not there.
    """
    group = receivers.group_of(source, body, bot_name=bot_name)
    if bot_name is not None:
        raising.require_bot(workspace_id, bot_name, ())
    return reporting.report(group, by)
