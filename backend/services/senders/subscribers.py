"""What follows for senders from what happens elsewhere: a refused token, a new workspace."""

from __future__ import annotations

from backend.core import events
from backend.services.senders.access import by_id
from backend.services.senders.environment import ensure_environment_senders
from backend.services.senders.state import disable


def _sender_disabled(sender_id: int, code: str) -> None:
    sender = by_id(sender_id)
    if sender is not None:
        disable(sender, code)


def _workspace_created(workspace_id: int) -> None:
    """The instance's first workspace owns the environment's senders."""
    ensure_environment_senders()


events.subscribe("sender_disabled", _sender_disabled)
events.subscribe("workspace_created", _workspace_created)
