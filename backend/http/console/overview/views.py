"""The first page: what needs somebody, worst first, and the day in figures."""

from __future__ import annotations

from typing import Any

from flask import Response, request

from backend.http.console.kit import pages
from backend.http.console.kit.guards import actor, page
from backend.services import delivery
from backend.services import overview as overviews

bp = pages.blueprint("overview", __name__)


@bp.get("/console/")
@page()
def overview() -> Response:
    """What needs somebody now. The script asks for the main part alone when something has changed."""
    values: dict[str, Any] = {"needs": overviews.attention_items(actor().workspace_id), "figures": overviews.figures()}
    if request.headers.get("HX-Request"):
        return pages.fragment("overview/parts.html", **values)
    return pages.render("overview/overview.html", "overview", pages.t("console.nav.overview"), **values)


@bp.get("/console/unsent")
@page()
def unsent() -> Response:
    """The messages of the last day that were not sent. A filter that means nothing is left out."""
    state, reason = request.args.get("state"), request.args.get("reason", "")[:64].replace("\0", "")
    messages, following = overviews.unsent(
        state=state if state in ("failed", "unknown") else None, code=reason or None, cursor=request.args.get("cursor")
    )
    return pages.render(
        "overview/unsent.html",
        "overview",
        pages.t("console.unsent.title"),
        messages=messages,
        explain=lambda code: delivery.explain_code(code, pages.locale(), waits=False),
        following=following,
        filters={name: value for name, value in (("state", state), ("reason", reason)) if value},
    )
