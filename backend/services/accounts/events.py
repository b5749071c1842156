"""Events about accounts, published in the system scope."""

from __future__ import annotations

from dataclasses import dataclass

from backend.core.events import Event


@dataclass(frozen=True, slots=True)
class AccountStateChanged(Event):
    """The provider sees an account otherwise than before, or it may run campaigns otherwise than before."""

    workspace_id: int
    sender_id: int
    before: str
    state: str
    reason: str | None


@dataclass(frozen=True, slots=True)
class LookupFinished(Event):
    """It is known whose a phone or a user name is, or that nobody can say. `identity_id` is set where `result` is
    `found`."""

    workspace_id: int
    sender_id: int
    contact_point_id: int
    result: str
    identity_id: int | None
