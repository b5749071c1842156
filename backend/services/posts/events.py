"""Events about posts, published in the transaction that ends them."""

from __future__ import annotations

from dataclasses import dataclass

from backend.core.events import Event
from backend.models import RuleRun


@dataclass(frozen=True, slots=True)
class RuleRunProgressed(Event):
    """A post of a rule's run has ended; the run is locked."""

    run: RuleRun
