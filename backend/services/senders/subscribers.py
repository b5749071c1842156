"""What follows for senders from what happens elsewhere: a refused token, a new workspace."""

from __future__ import annotations

from backend.core import events
from backend.services.auth.events import WorkspaceCreated
from backend.services.senders.access import by_id
from backend.services.senders.environment import ensure_environment_senders
from backend.services.senders.events import SenderStopped
from backend.services.senders.state import disable


def _sender_stopped(event: SenderStopped) -> None:
    sender = by_id(event.sender_id)
    if sender is not None:
        disable(sender, event.code)


def _workspace_created(event: WorkspaceCreated) -> None:
    """The instance's first workspace owns the environment's senders."""
    ensure_environment_senders()


events.subscribe(SenderStopped, _sender_stopped)
events.subscribe(WorkspaceCreated, _workspace_created)
