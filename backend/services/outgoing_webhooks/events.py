"""Events about the endpoints of outgoing webhooks, published in the workspace's scope."""

from __future__ import annotations

from dataclasses import dataclass

from backend.core.events import Event


@dataclass(frozen=True, slots=True)
class OutgoingWebhookDisabled(Event):
    """An endpoint that failed for long was switched off."""

    webhook_id: int
    workspace_id: int
    code: str
