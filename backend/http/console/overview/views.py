"""The first page: what needs somebody, worst first, and the day in figures."""

from __future__ import annotations

from typing import Any

from flask import Response, request

from backend.http.console.kit import pages
from backend.http.console.kit.guards import actor, page
from backend.services import overview as overviews

bp = pages.blueprint("overview", __name__)


@bp.get("/console/")
@page()
def overview() -> Response:
    """What needs somebody now. The script asks for the main part alone when something has changed."""
    values: dict[str, Any] = {"needs": overviews.needs(actor().workspace_id), "figures": overviews.figures()}
    if request.headers.get("HX-Request"):
        return pages.fragment("overview/parts.html", **values)
    return pages.render("overview/overview.html", "overview", pages.t("console.nav.overview"), **values)
