"""For whoever runs the instance: every part, the processes, what waits, and the bots, with what is wrong named."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from backend.core import process_registry, queue
from backend.core.process_registry import Process
from backend.services.bots import overview as bots_overview
from backend.services.bots.overview import BotState
from backend.services.health.figures import Figures, gather
from backend.services.health.readiness import Check, Load, load, readiness, redis_check
from backend.services.senders import WebhookReport, webhook_reports

OLD: Final = 60.0
"""Seconds after which something that could go on and does not is a problem; mail servers get ten times that."""


@dataclass(frozen=True, slots=True)
class Overview:
    """`status` is `ok` or `degraded`; `problems` are codes. `processes` is None while Redis is away."""

    status: str
    problems: list[str]
    configured: bool
    checks: list[Check]
    load: Load
    processes: list[Process] | None
    queues: dict[str, Any]
    bots: list[BotState]
    webhooks: list[WebhookReport]


def overview() -> Overview:
    """Everything at a glance. Raises what the database raises."""
    checks = [*readiness(), redis_check()]
    weight = load()
    figures = gather()
    assert figures is not None, "the database has just answered"
    processes = process_registry.list_processes()
    bots = bots_overview.bots()
    codes = sorted(problems(checks, processes, figures, bots))
    return Overview(
        "degraded" if codes else "ok",
        codes,
        bots_overview.is_configured(),
        checks,
        weight,
        processes,
        _queues(figures),
        bots,
        webhook_reports(),
    )


def problems(checks: list[Check], processes: list[Process] | None, figures: Figures, bots: list[BotState]) -> set[str]:
    """The names of what is not well."""
    codes = {f"{check.name}_{check.state}" for check in checks if check.state != "ok"}
    if processes is not None:
        codes.update(f"no_worker_{role}" for role in missing_roles(processes))
    if figures.oldest > OLD:
        codes.add("deliveries_old")
    if figures.intake_oldest > OLD:
        codes.add("intake_old")
    if figures.mail_oldest > 10 * OLD:
        codes.add("mail_old")
    if any(bot.disabled_code not in (None, "not_configured") for bot in bots):
        codes.add("bot_disabled")
    if any(bot.health["state"] == "failed" for bot in bots):
        codes.add("bot_unhealthy")
    if any(bot.unreachable_chats for bot in bots):
        codes.add("bot_chat_unreachable")
    return codes


def missing_roles(processes: list[Process]) -> list[str]:
    """What nobody does: `dispatch`, or a queue without a worker."""
    there = {process.role for process in processes}
    lanes = [] if "jobs" in there else [lane for lane in queue.QUEUES if lane not in there]
    return lanes if "dispatch" in there else ["dispatch", *lanes]


def _queues(figures: Figures) -> dict[str, Any]:
    by_reason: dict[str, int] = {}
    for group in figures.deliveries:
        by_reason[group.reason] = by_reason.get(group.reason, 0) + group.count
    return {
        "deliveries": {
            "waiting": sum(by_reason.values()),
            "oldest": round(figures.oldest, 1),
            "by_reason": by_reason,
        },
        "intake": {
            "waiting": figures.intake_waiting,
            "oldest": round(figures.intake_oldest, 1),
            "parked": figures.intake_parked,
        },
        "mail": {"waiting": figures.mail_waiting, "oldest": round(figures.mail_oldest, 1)},
    }
