"""For routers and monitors: alive, and ready for work."""

from __future__ import annotations

from typing import Any

from apiflask import APIBlueprint
from flask import Response

from backend.core.errors import Unavailable
from backend.http import errors, guards
from backend.http.guards import access, public
from backend.http.schemas.health import Health, HealthOverview, Readiness
from backend.services import health
from backend.services.health import Figures

bp = APIBlueprint("health", __name__, tag="Health")


@bp.get("/health")
@public("a router asks without credentials")
@bp.output(Health)
def alive() -> dict[str, Any]:
    """Is the process alive

    Answers without asking the database.
    """
    return {"status": "ok"}


@bp.get("/health/ready")
@public("a router asks without credentials")
@bp.output(Readiness)
@bp.doc(responses={503: "The database, the sweep or the tick is not well; `detail.checks` says which"})
def ready() -> dict[str, Any] | Response:
    """Is it ready for work

    The database answers, and the sweep and the tick have run within the last 15 seconds.
    """
    checks = [{"name": check.name, "state": check.state, "age": check.age} for check in health.readiness()]
    if all(check["state"] == "ok" for check in checks):
        return {"status": "ok", "checks": checks}
    failed = ", ".join(str(check["name"]) for check in checks if check["state"] != "ok")
    return errors.answer(Unavailable("not_ready", f"Not ready: {failed}.", detail={"checks": checks}, retry_after=5))


@bp.get("/api/admin/health")
@access("admin")
@bp.output(HealthOverview)
def overview() -> Any:
    """How every part is

    The database, Redis, the processes, the age of the queues, and each bot. `problems` names what is not well.
    """
    found = health.overview(guards.actor().workspace_id)
    figures = found.figures
    return {
        "status": found.status,
        "problems": found.problems,
        "configured": found.configured,
        "database": found.database,
        "redis": found.redis,
        "checks": found.checks,
        "workers": found.workers,
        "queues": {
            "deliveries": {
                "waiting": sum(one.count for one in figures.deliveries),
                "oldest_seconds": figures.oldest,
                "by_reason": _by_reason(figures),
            },
            "intake": {
                "waiting": figures.intake_waiting,
                "oldest_seconds": figures.intake_oldest,
                "parked": figures.intake_parked,
            },
            "mail": {"waiting": figures.mail_waiting, "oldest_seconds": figures.mail_oldest},
        },
        "bots": found.bots,
    }


def _by_reason(figures: Figures) -> dict[str, int]:
    found: dict[str, int] = {}
    for one in figures.deliveries:
        found[one.reason] = found.get(one.reason, 0) + one.count
    return found
