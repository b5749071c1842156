"""Events about people and workspaces, published in the transaction that changes them."""

from __future__ import annotations

from dataclasses import dataclass

from backend.core.events import Event


@dataclass(frozen=True, slots=True)
class WorkspaceCreated(Event):
    """A workspace was opened; published in the system scope."""

    workspace_id: int


@dataclass(frozen=True, slots=True)
class PersonDisabled(Event):
    """Somebody may no longer use the workspace; published in its scope."""

    user_id: int
