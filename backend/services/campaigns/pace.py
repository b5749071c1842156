"""How often an account may speak in campaigns: one message an hour, and some in 24 hours, rolling. Pure.

What counts is read from the attempts of the account over the whole instance (`services.delivery.quota`).
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

DAY: Final = timedelta(hours=24)
SPACING: Final = timedelta(hours=1)
RAMP: Final = ((timedelta(days=7), 3), (timedelta(days=14), 5))
"""Until this long after the account was first connected, at most so many in 24 hours."""
FULL_LIMIT: Final = 10
STRICT_LIMIT: Final = 3


@dataclass(frozen=True, slots=True)
class Ceilings:
    """What bounds an account. `relaxed` (seconds between messages) is for the simulator alone and takes off the rest.

    `first_connected_at`: when this Telegram user was first connected to the instance. `own_limit` is a stricter one
    that a person chose.
    """

    first_connected_at: datetime
    strict_until: datetime | None = None
    own_limit: int | None = None
    relaxed: float | None = None

    @property
    def spacing(self) -> timedelta:
        """The least time between two messages."""
        return SPACING if self.relaxed is None else timedelta(seconds=self.relaxed)

    def limit(self, moment: datetime) -> int:
        """How many messages may go out in the 24 hours that end at this moment."""
        if self.relaxed is not None:
            return 1_000_000
        limits = [FULL_LIMIT, *(most for age, most in RAMP if moment < self.first_connected_at + age)]
        if self.strict_until is not None and moment < self.strict_until:
            limits.append(STRICT_LIMIT)
        if self.own_limit is not None:
            limits.append(self.own_limit)
        return min(limits)

    def is_ramp(self, moment: datetime) -> bool:
        """Whether the limit at this moment is lower than the full one because the account is new or has to rest."""
        return self.limit(moment) < min(FULL_LIMIT, self.own_limit or FULL_LIMIT)

    def next_change(self, moment: datetime) -> datetime | None:
        """When the limit changes next, after this moment."""
        changes = [self.first_connected_at + age for age, _ in RAMP] + [self.strict_until]
        return min((change for change in changes if change is not None and change > moment), default=None)

    def day_of_ramp(self, moment: datetime) -> int:
        """Which day since the first connection it is, from 1 on."""
        return max(0, (moment - self.first_connected_at).days) + 1


@dataclass(frozen=True, slots=True)
class Slot:
    """A moment at which the account may speak, and what kept it until then: `hour`, `day`, `ramp`, or None."""

    at: datetime
    bound_by: str | None


@dataclass
class Uses:
    """When the account spoke: `counted` is what was accepted or has an unknown outcome, sorted, oldest first.

    `last_try` is the latest try of all, one that was refused too: the next comes an hour later.
    """

    counted: list[datetime] = field(default_factory=list)
    last_try: datetime | None = None

    def add(self, moment: datetime) -> None:
        """Notes a message; moments come in order."""
        self.counted.append(moment)
        self.last_try = moment if self.last_try is None else max(self.last_try, moment)

    def within_a_day(self, moment: datetime) -> int:
        """How many there were in the 24 hours that end at this moment; one exactly 24 hours ago is over."""
        return bisect_right(self.counted, moment) - bisect_right(self.counted, moment - DAY)


def next_slot(ceilings: Ceilings, uses: Uses, moment: datetime) -> Slot:
    """The first moment from `moment` on at which the account may speak."""
    at, bound_by = moment, None
    if uses.last_try is not None and uses.last_try + ceilings.spacing > at:
        at, bound_by = uses.last_try + ceilings.spacing, "hour"
    while uses.within_a_day(at) >= (limit := ceilings.limit(at)):
        bound_by = "ramp" if ceilings.is_ramp(at) else "day"
        spoken = uses.counted[: bisect_right(uses.counted, at)]
        free_again = spoken[-limit] + DAY
        change = ceilings.next_change(at)
        at = free_again if change is None else min(free_again, change)
    return Slot(at, bound_by)
