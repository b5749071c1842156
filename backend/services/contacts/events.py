"""Events about contacts, published in the workspace's scope."""

from __future__ import annotations

from dataclasses import dataclass

from backend.core.events import Event


@dataclass(frozen=True, slots=True)
class ContactOptedOut(Event):
    """A person wants to hear nothing more from a workspace, and is suppressed."""

    workspace_id: int
    contact_id: int
