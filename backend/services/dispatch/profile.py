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


@dataclass(frozen=True, slots=True)
class DispatchProfile:
    """The parameters of a dispatch loop.

    `quota_key` gives the key under which a sender's attempts are counted over the instance (`delivery.quota.key_of`),
    or None.
    """

    channels: Callable[[], Sequence[str]] = registry.names
    lease: LeaseTerms = SHORT
    executor: ExecutorFactory = TimedExecutor
    quota_key: Callable[[Sender], bytes | None] = without_quota


BOTS: Final = DispatchProfile()
"""Every channel there is: requests of their own, one after the other, over kept connections."""
