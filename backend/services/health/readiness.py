"""Whether this instance can do its work: the database answers, and its periodic parts have run of late."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from sqlalchemy import func, select
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from backend.core.database import db, system_scope
from backend.models import Heartbeat

OLDEST: Final = 15.0
"""Seconds after which a periodic part counts as stopped."""
PARTS: Final = ("sweep", "tick")


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that has to be well; `age` in seconds by the database's clock, where it has one."""

    name: str
    state: Literal["ok", "failed", "stale", "missing"]
    age: float | None = None


def readiness() -> list[Check]:
    """All checks. Never raises for a database that is away: that is one of the answers."""
    age = func.extract("epoch", func.clock_timestamp() - Heartbeat.at)
    try:
        with system_scope("heartbeats belong to no workspace"):
            ages = {
                name: float(seconds)
                for name, seconds in db.session.execute(select(Heartbeat.name, age).where(Heartbeat.name.in_(PARTS)))
            }
    except (OperationalError, InterfaceError, PoolTimeout):
        return [Check("database", "failed"), *(Check(name, "missing") for name in PARTS)]
    return [Check("database", "ok"), *(_part(name, ages.get(name)) for name in PARTS)]


def _part(name: str, age: float | None) -> Check:
    if age is None:
        return Check(name, "missing")
    return Check(name, "ok" if age <= OLDEST else "stale", round(age, 1))
