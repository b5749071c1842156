"""Metrics for Prometheus, behind a token of their own."""

from __future__ import annotations

import hmac
from typing import Any, Final

from apiflask import APIBlueprint
from flask import Response

from backend.core import config
from backend.core.errors import NotFound, Unauthorized
from backend.http.guards import bearer, public
from backend.services import metrics

bp = APIBlueprint("metrics", __name__, tag="Health")

_ANSWERS: Final[dict[Any, Any]] = {
    200: {"description": "The metrics", "content": {"text/plain": {"schema": {"type": "string"}}}},
    401: {"description": "Not the token"},
    404: {"description": "METRICS_TOKEN is not set (`metrics_off`)"},
}


@bp.get("/metrics")
@public("a scraper brings the METRICS_TOKEN")
@bp.doc(responses=_ANSWERS)
def read() -> Response:
    """Metrics in Prometheus' text format

    Takes the METRICS_TOKEN as bearer; without one in the environment there are no metrics.
    """
    wanted = config.get().metrics_token
    if not wanted:
        raise NotFound("metrics_off", "METRICS_TOKEN is not set: there are no metrics here.")
    if not hmac.compare_digest(bearer().encode("utf-8", "replace"), wanted.encode()):
        raise Unauthorized()
    return Response(metrics.render(), content_type=metrics.CONTENT_TYPE)
