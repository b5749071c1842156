"""The components of all pages in their states, for who changes one; only where the instance is one of development."""

from __future__ import annotations

from datetime import timedelta

from flask import Response

from backend.core import clock, config
from backend.core.errors import NotFound
from backend.http.console.kit import components, pages
from backend.http.console.kit.guards import page

bp = pages.blueprint("kit", __name__)


@bp.get("/console/kit")
@page()
def showcase() -> Response:
    """Every component; an address that is none in production."""
    if not config.get().development:
        raise NotFound
    return pages.render(
        "kit/showcase.html",
        "",
        "Components",
        names=sorted(components.NAMES),
        moment=clock.now() - timedelta(minutes=5),
    )
