"""Live events, as far as plain WSGI goes: it says that it has none. The front answers before Flask is asked."""

from __future__ import annotations

from typing import Any, Final, NoReturn

from apiflask import APIBlueprint

from backend.core.errors import Unavailable
from backend.http.guards import access
from backend.http.schemas.live import LiveQuery

_ANSWERS: Final[dict[Any, Any]] = {
    200: {
        "description": "A stream that does not end",
        "content": {"text/event-stream": {"schema": {"type": "string"}}},
    },
    429: {"description": "Too many connections of one person (`too_many_connections`)"},
    503: {"description": "Plain WSGI (`live_unavailable`), or the process is full or about to stop"},
}

bp = APIBlueprint("live", __name__, tag="Live events")


@bp.get("/api/live")
@access()
@bp.input(LiveQuery, location="query")
@bp.doc(responses=_ANSWERS)
def listen(query_data: LiveQuery) -> NoReturn:
    """Hear what changes

    Server-sent events, or a WebSocket at the same address. Changes carry ids only. A reconnect with `Last-Event-ID`
    misses nothing.
    """
    raise Unavailable("live_unavailable", "This server has no live events.", retry_after=60)
