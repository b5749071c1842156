"""Events about how integrations are set up, published in the transaction that keeps the finding."""

from __future__ import annotations

from dataclasses import dataclass

from backend.core.events import Event


@dataclass(frozen=True, slots=True)
class ChannelCheckFailed(Event):
    """A check of an integration failed for `code`, again or for the first time. `text` says so in English, `advice`
    what to do."""

    workspace_id: int
    sender_id: int
    name: str
    channel: str
    check: str
    code: str
    text: str
    advice: str


@dataclass(frozen=True, slots=True)
class ChannelCheckRecovered(Event):
    """What was wrong with an integration is mended, or the integration is gone."""

    workspace_id: int
    sender_id: int
    name: str
    check: str
