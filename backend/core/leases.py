"""Leases: one process at a time serves a sender, and a process that lost its lease cannot write.

A lease is a row (owner, epoch, until) on the database's clock, for bots 5 s long and renewed every 2. A takeover raises
the epoch; a claim requires the lease's epoch and a completion the delivery's, so whatever a late process still does is
refused. The holder judges its own lease by its monotonic clock, counted from before the renewal was sent and a fifth
early, and checks that right before writing to a socket: a process that was stopped and goes on stays silent.
"""

from __future__ import annotations

import os
import secrets
import socket
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Engine, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.types import BigInteger

from backend.core import config, failpoints

LEASE_SECONDS = float(config.test_env("TEST_LEASE_SECONDS") or 5.0)
"""Five seconds; crash tests shorten it, so that a hundred takeovers fit into a test run."""


@dataclass(frozen=True, slots=True)
class LeaseTerms:
    """How long leases are, in seconds; what is not given follows from the length."""

    seconds: float = LEASE_SECONDS
    renew_share: float = 0.4
    early_share: float = 0.2
    grace: float = 0.0
    """How long a successor waits beyond a lease that ran out without having been given back: where the provider may
    still hold the dead holder's connection."""

    @property
    def renew_every(self) -> float:
        """Seconds between two renewals."""
        return self.seconds * self.renew_share

    @property
    def usable(self) -> float:
        """Seconds after the last renewal was sent within which the holder may still write."""
        return self.seconds * (1 - self.early_share)


SHORT: Final = LeaseTerms()
"""For senders that keep no connection of their own: bots, pages."""
LONG: Final = LeaseTerms(60.0, renew_share=0.25, early_share=1 / 3, grace=15.0)
"""For accounts that keep a connection open: nothing is written 40 seconds after the last renewal."""

FENCING = "fencing" not in (config.test_env("TEST_DISABLE") or "")
"""Only a test that proves the tests would notice switches it off."""


@dataclass(slots=True)
class Lease:
    """A held lease. `deadline` is a reading of `time.monotonic()` after which nothing may be written."""

    sender_id: int
    epoch: int
    deadline: float
    paused_until: datetime | None = None

    def holds(self) -> bool:
        """Whether this process may still act for the sender."""
        return not FENCING or time.monotonic() < self.deadline


def owner_name() -> str:
    """A name no other process has, also not after a restart with the same process id."""
    return f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"


_IDS = bindparam("ids", type_=ARRAY(BigInteger))

_ACQUIRE = text(
    """
    INSERT INTO sender_leases AS l (sender_id, owner, epoch, until)
    SELECT id, :owner, 1, clock_timestamp() + make_interval(secs => :seconds)
    FROM unnest(:ids) AS wanted(id) ORDER BY id
    ON CONFLICT (sender_id) DO UPDATE
       SET owner = excluded.owner, until = excluded.until,
           epoch = CASE WHEN l.owner = excluded.owner THEN l.epoch ELSE l.epoch + 1 END
     WHERE l.until < clock_timestamp() - CASE WHEN l.owner IN ('', excluded.owner) THEN interval '0'
                                               ELSE make_interval(secs => :grace) END
    RETURNING l.sender_id, l.epoch, l.paused_until
    """
).bindparams(_IDS)

_RENEW = text(
    """
    UPDATE sender_leases SET until = clock_timestamp() + make_interval(secs => :seconds)
     WHERE sender_id IN (SELECT sender_id FROM sender_leases WHERE sender_id = ANY(:ids) AND owner = :owner
                          ORDER BY sender_id FOR UPDATE)
    RETURNING sender_id, epoch, paused_until
    """
).bindparams(_IDS)

_RELEASE = text(
    """
    UPDATE sender_leases SET until = clock_timestamp(), owner = ''
     WHERE sender_id IN (SELECT sender_id FROM sender_leases WHERE sender_id = ANY(:ids) AND owner = :owner
                          ORDER BY sender_id FOR UPDATE)
    """
).bindparams(_IDS)


_INHERIT = text(
    """
    UPDATE sender_leases SET until = clock_timestamp(), owner = ''
     WHERE sender_id IN (SELECT sender_id FROM sender_leases WHERE owner = :owner ORDER BY sender_id FOR UPDATE)
    """
)


class LeaseKeeper:
    """The leases of one process. Safe to use from several threads.

    `predecessor` owned leases and has certainly ended: whoever starts this process has waited for that.
    """

    def __init__(
        self, engine: Engine, owner: str | None = None, predecessor: str | None = None, terms: LeaseTerms = SHORT
    ) -> None:
        self.owner = owner or owner_name()
        self.terms = terms
        self._predecessor = predecessor
        self._engine = engine
        self._lock = threading.Lock()
        self._held: dict[int, Lease] = {}

    def held(self) -> dict[int, Lease]:
        """The leases that still hold, by sender."""
        with self._lock:
            return {sender_id: lease for sender_id, lease in self._held.items() if lease.holds()}

    def inherit(self) -> None:
        """Frees what the predecessor held, so that nobody waits until it runs out. Raises what the database raises."""
        if self._predecessor is not None:
            with self._engine.begin() as connection:
                connection.execute(_INHERIT, {"owner": self._predecessor})
            self._predecessor = None

    def acquire(self, sender_ids: Iterable[int]) -> list[Lease]:
        """Takes the free ones of these senders. Raises what the database raises.

        An own lease that ran out while nobody took it comes back with its epoch, for its work in flight is still ours.
        """
        ids = sorted(set(sender_ids))
        if not ids:
            return []
        asked = time.monotonic()
        with self._engine.begin() as connection:
            values = {"ids": ids, "owner": self.owner, "seconds": self.terms.seconds, "grace": self.terms.grace}
            rows = connection.execute(_ACQUIRE, values).all()
        acquired = [Lease(row.sender_id, row.epoch, asked + self.terms.usable, row.paused_until) for row in rows]
        with self._lock:
            self._held.update({lease.sender_id: lease for lease in acquired})
        return acquired

    def renew(self) -> None:
        """Prolongs all held leases; one that somebody else took meanwhile is dropped."""
        with self._lock:
            ids = sorted(self._held)
        if not ids:
            return
        failpoints.hit("lease.before_renew")
        asked = time.monotonic()
        with self._engine.begin() as connection:
            rows = connection.execute(_RENEW, {"ids": ids, "owner": self.owner, "seconds": self.terms.seconds}).all()
        renewed = {row.sender_id: row for row in rows}
        with self._lock:
            for sender_id in ids:
                lease = self._held.get(sender_id)
                row = renewed.get(sender_id)
                if lease is None:
                    continue
                if row is None or row.epoch != lease.epoch:
                    del self._held[sender_id]
                else:
                    lease.deadline = asked + self.terms.usable
                    lease.paused_until = row.paused_until

    def release(self, sender_ids: Iterable[int]) -> None:
        """Gives leases back at once, so that a successor need not wait."""
        with self._lock:
            ids = sorted(sender_id for sender_id in sender_ids if self._held.pop(sender_id, None))
        if ids:
            with self._engine.begin() as connection:
                connection.execute(_RELEASE, {"ids": ids, "owner": self.owner})
