"""The scheduler: messages that bots say by a schedule, and for the instance's owner the instance's own jobs."""

from __future__ import annotations

from typing import Any

from flask import Response, request, url_for

from backend.core.errors import AppError, TooManyRequests
from backend.http.console.kit import form_errors, pages
from backend.http.console.kit.guards import actor, attribution, page
from backend.services import scheduled_messages
from backend.services.auth.actor import ADMIN
from backend.services.housekeeping import declarations as declarations
from backend.services.scheduling import administration

bp = pages.blueprint("scheduler", __name__)

NAV = "scheduler"


@bp.get("/console/scheduler")
@page()
def overview() -> Response:
    """The workspace's planned messages; the owner sees the instance's jobs below."""
    return _overview()


@bp.get("/console/scheduler/jobs/<job_id>")
@page(ADMIN, owner=True)
def job(job_id: str) -> Response:
    """A job and its runs, the newest first."""
    return _job(job_id)


@bp.post("/console/scheduler/jobs/<job_id>/trigger")
@page(ADMIN, owner=True)
def trigger(job_id: str) -> Response:
    """Asks for a run now, once a minute."""
    try:
        administration.trigger(job_id, attribution())
    except TooManyRequests as error:
        return _job(job_id, error)
    return _done(job_id, pages.t("console_scheduler.said.triggered", name=job_id))


@bp.post("/console/scheduler/jobs/<job_id>/pause")
@page(ADMIN, owner=True)
def pause(job_id: str) -> Response:
    """Keeps a job from beginning by itself."""
    administration.pause(job_id, attribution())
    return _done(job_id, pages.t("console_scheduler.said.job_paused", name=job_id))


@bp.post("/console/scheduler/jobs/<job_id>/resume")
@page(ADMIN, owner=True)
def resume(job_id: str) -> Response:
    """Lets a job begin by itself again."""
    administration.resume(job_id, attribution())
    return _done(job_id, pages.t("console_scheduler.said.job_resumed", name=job_id))


def _overview() -> Response:
    messages, following = scheduled_messages.listing(cursor=request.args.get("cursor"))
    values: dict[str, Any] = {"messages": messages, "following": following}
    if actor().is_owner:
        status = administration.status()
        values |= {"scheduler": status, "running": status.is_running}
    else:
        values |= {"scheduler": None, "running": administration.is_running()}
    return pages.render("scheduler/overview.html", NAV, pages.t("console.nav.scheduler"), **values)


def _job(job_id: str, error: AppError | None = None) -> Response:
    runs, following = administration.history(job_id, cursor=request.args.get("cursor"))
    status = administration.job_status(job_id)
    return pages.render(
        "scheduler/job.html",
        NAV,
        job_id,
        error.status if error else 200,
        job=status,
        runs=runs,
        following=following,
        fault=form_errors.message_of(error) if error else None,
    )


def _done(job_id: str, words: str) -> Response:
    return pages.redirect_with_toast(url_for("console_scheduler.job", job_id=job_id), words)
