"""The profile of a dispatch loop: its channels, leases and executor, and the quotas that its attempts count for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from backend.channels import registry
from backend.core.leases import SHORT, LeaseTerms
from backend.models import Sender
from backend.services.dispatch.executor import ExecutorFactory, TimedExecutor


def without_quota(sender: Sender) -> bytes | None:
    """No quota: the sender's pace is all that bounds it."""
    return None


def without_connections() -> Sequence[str]:
    """The channels whose senders need no connection of their own."""
    return registry.names_by_connection(kept=False)


def with_connections() -> Sequence[str]:
    """The channels whose senders keep one."""
    return registry.names_by_connection(kept=True)


def keep_nothing(sender_ids: Sequence[int]) -> None:
    """Nothing is kept of a sender beyond its requests."""


@dataclass(frozen=True, slots=True)
class DispatchProfile:
    """The parameters of a dispatch loop.

    `quota_key` gives the key under which a sender's attempts are counted over the instance (`delivery.quota.key_of`),
    or None.
    """

    channels: Callable[[], Sequence[str]] = without_connections
    lease: LeaseTerms = SHORT
    executor: ExecutorFactory = TimedExecutor
    quota_key: Callable[[Sender], bytes | None] = without_quota
    is_resident: bool = False
    """Whether it serves every active sender of its channels all the time, not only those with work."""
    before_release: Callable[[Sequence[int]], None] = keep_nothing
    """Called with senders before their leases are given back: their connections have to be closed by then."""


BOTS: Final = DispatchProfile()
"""Every channel whose senders need no connection of their own: requests, one after the other."""
