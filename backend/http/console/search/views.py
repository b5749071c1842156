"""What the palette finds beyond the pages: the workspace's people, bots and kinds of notifications."""

from __future__ import annotations

from flask import Response, request

from backend.http.console.kit import pages
from backend.http.console.kit.guards import actor, page
from backend.services import search

bp = pages.blueprint("search", __name__)


@bp.get("/console/palette")
@page()
def palette() -> Response:
    """The hits as options of the palette."""
    return pages.fragment("search/hits.html", hits=search.find(actor().workspace_id, request.args.get("q", "")))
