"""For routers and monitors: alive, and ready for work."""

from __future__ import annotations

from typing import Any

from apiflask import APIBlueprint
from flask import Response

from backend.core.errors import Unavailable
from backend.http import errors
from backend.http.guards import access, public
from backend.http.schemas.health import Health, Overview, Readiness
from backend.services import health

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
@bp.doc(responses={503: "The database, its disk, the sweep or the tick is not well; `detail.checks` says which"})
def ready() -> dict[str, Any] | Response:
    """Is it ready for work

    The database answers and takes writes, and the sweep and the tick have run within the last 15 seconds. `storage`
    says whether files can be written; without it everything but files goes on, so it is no reason for 503.
    """
    readiness = health.readiness()
    checks = [{"name": check.name, "state": check.state, "age": check.age} for check in readiness]
    if all(check.state == "ok" for check in readiness if check.required):
        return {"status": "ok", "checks": checks}
    failed = ", ".join(check.name for check in readiness if check.required and check.state != "ok")
    return errors.answer(Unavailable("not_ready", f"Not ready: {failed}.", detail={"checks": checks}, retry_after=5))


@bp.get("/api/admin/health")
@access("admin", owner=True)
@bp.output(Overview)
def overview() -> health.Overview:
    """How is the instance

    The database, Redis, the periodic parts, the processes, what piles up, and each bot. `problems` names what is not
    well.
    """
    return health.overview()
