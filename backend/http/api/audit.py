"""Who did what."""

from __future__ import annotations

from typing import Any

from apiflask import APIBlueprint

from backend.http import guards
from backend.http.guards import access
from backend.http.schemas.people import Audit, AuditQuery
from backend.services.auth import audit

bp = APIBlueprint("audit", __name__, url_prefix="/api/audit", tag="Audit")


@bp.get("")
@access("admin")
@bp.input(AuditQuery, location="query")
@bp.output(Audit)
def listing(query_data: AuditQuery) -> dict[str, Any]:
    """List what was done in the workspace"""
    entries, following = audit.listing(
        guards.actor().workspace_id,
        action=query_data.action,
        actor=query_data.actor,
        subject=query_data.subject,
        cursor=query_data.cursor,
        limit=query_data.limit,
    )
    return {"entries": entries, "next_cursor": following}
