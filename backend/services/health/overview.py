"""For admins: every part of the instance, and the bots of the workspace, with what is wrong named."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import redis
from sqlalchemy import or_, select, text

from backend.core import clock, config, presence, queue
from backend.core.database import db, system_scope
from backend.core.presence import Process
from backend.models import Sender, SenderLease
from backend.services.health.figures import Figures, gather
from backend.services.health.readiness import Check, readiness
from backend.services.senders.standing import NOT_CONFIGURED

OLD_QUEUE: Final = 60.0
"""Seconds after which something that could go out and does not is a problem."""
_NEEDED: Final = (("dispatch",), ("jobs", "intake"), ("jobs", "notifications"), ("jobs", "background"))


@dataclass(frozen=True, slots=True)
class BotHealth:
    """A bot as it stands. `paused_until` while its provider has asked for a rest."""

    id: int
    name: str
    username: str | None
    source: str
    state: str
    code: str | None
    last_inbound_at: datetime | None
    paused_until: datetime | None


@dataclass(frozen=True, slots=True)
class Overview:
    """`status` is `ok` or `degraded`; `problems` are codes."""

    status: str
    problems: list[str]
    configured: bool
    database: dict[str, Any]
    redis: dict[str, Any]
    checks: list[Check]
    workers: list[Process] | None
    figures: Figures
    bots: list[BotHealth]


def overview(workspace_id: int) -> Overview:
    """Everything that an admin of this workspace should know. Raises what the database raises."""
    started = time.perf_counter()
    with system_scope("a look at the database itself"):
        db.session.execute(text("SELECT 1"))
    database = {"state": "ok", "milliseconds": round((time.perf_counter() - started) * 1000, 1)}
    figures = gather()
    assert figures is not None, "the database has just answered"
    checks = readiness()
    workers = presence.everybody()
    store = _redis()
    bots = _bots(workspace_id)
    problems = sorted(_problems(checks, workers, store["state"], figures, bots))
    return Overview(
        "degraded" if problems else "ok",
        problems,
        _is_configured(bots),
        database,
        store,
        checks,
        workers,
        figures,
        bots,
    )


def missing_roles(workers: list[Process]) -> list[str]:
    """What nobody does: `dispatch`, or a queue without a worker."""
    there = {process.role for process in workers}
    return [roles[-1] for roles in _NEEDED if not there.intersection(roles)]


def _problems(
    checks: list[Check], workers: list[Process] | None, store: str, figures: Figures, bots: list[BotHealth]
) -> set[str]:
    found = {f"{check.name}_{check.state}" for check in checks if check.state != "ok"}
    if store != "ok":
        found.add("redis_failed")
    if workers is not None:
        found.update(f"no_worker_{role}" for role in missing_roles(workers))
    if figures.oldest > OLD_QUEUE:
        found.add("deliveries_old")
    if figures.intake_oldest > OLD_QUEUE:
        found.add("intake_old")
    if figures.mail_oldest > 10 * OLD_QUEUE:
        found.add("mail_old")
    if any(bot.code is not None for bot in bots):
        found.add("bot_disabled")
    return found


def _redis() -> dict[str, Any]:
    started = time.perf_counter()
    try:
        queue.connection().ping()
    except redis.RedisError:
        return {"state": "failed", "milliseconds": None}
    return {"state": "ok", "milliseconds": round((time.perf_counter() - started) * 1000, 1)}


def _bots(workspace_id: int) -> list[BotHealth]:
    query = (
        select(Sender, SenderLease.paused_until)
        .outerjoin(SenderLease, SenderLease.sender_id == Sender.id)
        .where(or_(Sender.workspace_id == workspace_id, Sender.source == "environment"))
        .order_by(Sender.id)
        .limit(200)
    )
    now = clock.now()
    with system_scope("the default bot serves every workspace; the others are chosen by their owner"):
        rows = db.session.execute(query).all()
    return [
        BotHealth(
            sender.id,
            sender.name,
            sender.username,
            sender.source,
            "active" if sender.is_active else "disabled",
            sender.disabled_code,
            sender.last_inbound_at,
            paused if paused is not None and paused > now else None,
        )
        for sender, paused in rows
        if sender.disabled_code != NOT_CONFIGURED
    ]


def _is_configured(bots: list[BotHealth]) -> bool:
    """Whether any bot is there to speak, of the database or of the environment."""
    settings = config.get()
    return bool(bots or settings.telegram_bot_token or settings.telegram_bot_configs)


__all__ = ["OLD_QUEUE", "BotHealth", "Overview", "missing_roles", "overview"]
