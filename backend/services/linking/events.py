"""Events about links, published in the workspace's scope."""

from __future__ import annotations

from dataclasses import dataclass

from backend.core.events import Event


@dataclass(frozen=True, slots=True)
class LinkRefused(Event):
    """Somebody in the chat said that they did not want the link."""

    workspace_id: int
    user_id: int
    sender_id: int
