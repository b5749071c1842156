"""Whether this instance can do its work: the database takes writes, its periodic parts run, and nothing piles up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import redis
from rq import Worker
from sqlalchemy import func, select
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from backend.core import clock, queue
from backend.core.database import db, system_scope
from backend.models import Delivery, Heartbeat, SenderLease, WebhookEvent
from backend.services.health import storage_probe, write_probe

OLDEST: Final = 15.0
"""Seconds after which a periodic part counts as stopped."""
PARTS: Final = ("sweep", "tick")
WRITES: Final = "database_writes"
STORAGE: Final = "storage"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that has to be well; `age` in seconds by the database's clock, where it has one.

    Without one that is not `required` the instance goes on: only files are missing.
    """

    name: str
    state: Literal["ok", "failed", "stale", "missing"]
    age: float | None = None
    required: bool = True


def readiness() -> list[Check]:
    """All checks. Never raises for a database or a storage that is away: that is one of the answers."""
    storage = Check(STORAGE, "ok" if storage_probe.takes_files() else "failed", required=False)
    return [*_database_checks(), storage]


def _database_checks() -> list[Check]:
    age = func.extract("epoch", func.clock_timestamp() - Heartbeat.at)
    try:
        with system_scope("heartbeats belong to no workspace"):
            ages = {
                name: float(seconds)
                for name, seconds in db.session.execute(select(Heartbeat.name, age).where(Heartbeat.name.in_(PARTS)))
            }
    except (OperationalError, InterfaceError, PoolTimeout):
        return [Check("database", "failed"), Check(WRITES, "missing"), *(Check(name, "missing") for name in PARTS)]
    writes = Check(WRITES, "ok" if write_probe.takes_writes() else "failed")
    return [Check("database", "ok"), writes, *(_part(name, ages.get(name)) for name in PARTS)]


def _part(name: str, age: float | None) -> Check:
    if age is None:
        return Check(name, "missing")
    return Check(name, "ok" if age <= OLDEST else "stale", round(age, 1))


@dataclass(frozen=True, slots=True)
class Load:
    """What piles up, and who works. Ages in seconds, of the oldest update that waits to be processed and of the oldest
    operation that is due; `workers` and `dispatchers` count processes, None where Redis does not tell."""

    intake_age: float
    outbox_age: float
    workers: int | None
    dispatchers: int


def redis_check() -> Check:
    """Whether Redis answers. Without it everything goes on, some seconds later."""
    try:
        queue.connection().ping()
    except redis.RedisError:
        return Check("redis", "failed")
    return Check("redis", "ok")


def load() -> Load:
    """How much waits, and how many processes work on it."""
    now = clock.now()
    with system_scope("the load is the instance's"):
        event = db.session.execute(
            select(func.min(WebhookEvent.received_at)).where(WebhookEvent.state == "new")
        ).scalar()
        due = db.session.execute(
            select(func.min(Delivery.due_at)).where(
                Delivery.state == "due", Delivery.due_at <= now, Delivery.reason != "sender_disabled"
            )
        ).scalar()
        owners = select(func.count(SenderLease.owner.distinct())).where(SenderLease.until > func.clock_timestamp())
        dispatchers = db.session.execute(owners).scalar_one()
    try:
        workers = Worker.count(connection=queue.connection())
    except redis.RedisError:
        workers = None
    ages = [max(0.0, (now - at).total_seconds()) if at is not None else 0.0 for at in (event, due)]
    return Load(round(ages[0], 1), round(ages[1], 1), workers, dispatchers)
