"""How many campaign messages an account may send: the ceilings, pure, and how much of them is used.

They hold for the account of a person over the whole instance, by its quota key. Settings can make them stricter only.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import select

from backend.core import clock
from backend.core.database import db, system_scope
from backend.models import Account, AccountFirstConnection
from backend.services.delivery import quota

KINDS: Final = ("campaign",)
"""The kinds of messages that count."""
HOUR: Final = timedelta(hours=1)
DAY: Final = timedelta(hours=24)
PER_HOUR: Final = 1
PER_DAY: Final = 10
STRICT_PER_DAY: Final = 3
RAMP: Final = ((7, 3), (14, 5))
"""Until so many days after the first connection, so many messages in 24 hours."""


@dataclass(frozen=True, slots=True)
class Ramp:
    """Where a new account stands: the day since its first connection, counted from 1, and its messages in 24 hours."""

    day: int
    limit: int


@dataclass(frozen=True, slots=True)
class Pace:
    """What an account may still send. `used` are the moments of what counts in the last 24 hours, `tried` those of what
    counts for the hour (refusals too), the oldest first."""

    quota_key: bytes
    ramp: Ramp
    daily_limit: int
    used: tuple[datetime, ...]
    tried: tuple[datetime, ...]
    strict_until: datetime | None

    @property
    def left_today(self) -> int:
        """How many more may be sent in the present 24 hours."""
        return max(0, self.daily_limit - len(self.used))

    def next_at(self, now: datetime) -> datetime:
        """When the next one may go, as far as the ceilings are concerned; not before `now`."""
        after_hour = max([now, *(moment + HOUR for moment in self.tried[-PER_HOUR:])])
        if len(self.used) < self.daily_limit:
            return after_hour
        return max(after_hour, self.used[-self.daily_limit] + DAY)

    def limiting(self, now: datetime) -> str | None:
        """Why nothing may be sent now: hour_limit, day_limit or ramp; None where something may."""
        if len(self.used) >= self.daily_limit:
            return "ramp" if self.daily_limit < PER_DAY else "day_limit"
        return "hour_limit" if self.next_at(now) > now else None


def ramp_of(first_connected_at: datetime, now: datetime) -> Ramp:
    """Where an account stands that was first connected then."""
    days = max(0, (now - first_connected_at) // timedelta(days=1))
    limit = next((limit for until, limit in RAMP if days < until), PER_DAY)
    return Ramp(days + 1, limit)


def daily_limit_of(ramp: Ramp, strict_until: datetime | None, now: datetime) -> int:
    """How many messages in 24 hours, given the ramp and until when the account is kept to the strict ceiling."""
    strict = strict_until is not None and strict_until > now
    return min(ramp.limit, STRICT_PER_DAY) if strict else ramp.limit


def first_connected_at(quota_key: bytes) -> datetime | None:
    """When the account was first connected to the instance, in whatever workspace; None where it never was."""
    return db.session.execute(
        select(AccountFirstConnection.first_connected_at).where(AccountFirstConnection.quota_key == quota_key)
    ).scalar_one_or_none()


def of_key(quota_key: bytes, strict_until: datetime | None = None, now: datetime | None = None) -> Pace:
    """The pace of the account with this quota key; `now` is aware."""
    moment = now or clock.now()
    ramp = ramp_of(first_connected_at(quota_key) or moment, moment)
    since = moment - DAY
    used = quota.uses(quota_key, KINDS, since)
    tried = quota.uses(quota_key, KINDS, moment - HOUR, refused=True)
    limit = daily_limit_of(ramp, strict_until, moment)
    return Pace(quota_key, ramp, limit, tuple(used), tuple(tried), strict_until)


def state_of(sender_id: int, now: datetime | None = None) -> Pace | None:
    """The pace of a sender's account; None for a sender without one."""
    with system_scope("a ceiling of an account holds in every workspace"):
        row = db.session.execute(
            select(Account.quota_key, Account.strict_until).where(Account.sender_id == sender_id)
        ).first()
    return None if row is None else of_key(row.quota_key, row.strict_until, now)
