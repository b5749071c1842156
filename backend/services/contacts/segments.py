"""Saved segments: filters with a name. Whom one holds is found again each time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import func, select

from backend.core import clock
from backend.core.database import current_workspace_id, db
from backend.core.errors import Conflict, NotFound
from backend.models import Segment
from backend.services import caps, paging
from backend.services.auth import audit
from backend.services.auth.attribution import Attribution
from backend.services.contacts import filters
from backend.services.contacts.filters import ContactFilter


def listing(*, cursor: str | None = None, limit: int = paging.DEFAULT_LIMIT) -> tuple[list[Segment], str | None]:
    """The workspace's segments, oldest first."""
    return paging.page(select(Segment), Segment.id, cursor=cursor, limit=limit, descending=False)


def get(segment_id: int) -> Segment:
    """A segment of the workspace in scope. Raises NotFound."""
    segment = db.session.get(Segment, segment_id)
    if segment is None:
        raise NotFound("segment_not_found", "There is no such segment.")
    return segment


def filter_of(segment_id: int) -> ContactFilter:
    """The filter that a segment stands for. Raises NotFound."""
    return ContactFilter.of(get(segment_id).filter)


def create(by: Attribution, name: str, wanted: ContactFilter) -> Segment:
    """Saves a filter under a name. Raises Conflict (segment_exists, too_many_segments), and Invalid."""
    filters.select_contacts(wanted)
    _refuse_known(name, None)
    caps.require_room("segments", select(func.count()).select_from(Segment))
    now = clock.now()
    segment = Segment(
        workspace_id=current_workspace_id(),
        name=name,
        name_folded=name.casefold(),
        filter=wanted.stored(),
        created_by=by.label,
        created_at=now,
        updated_at=now,
    )
    db.session.add(segment)
    db.session.flush()
    audit.record(by, "segment.created", f"segment:{segment.id}")
    return segment


def change(by: Attribution, segment_id: int, changes: Mapping[str, Any]) -> Segment:
    """Changes `name` or `filter` (a ContactFilter, as a whole). Raises what `create` does, and NotFound."""
    segment = get(segment_id)
    if "name" in changes:
        _refuse_known(changes["name"], segment.id)
        segment.name, segment.name_folded = changes["name"], changes["name"].casefold()
    if "filter" in changes:
        filters.select_contacts(changes["filter"])
        segment.filter = changes["filter"].stored()
    segment.updated_at = clock.now()
    db.session.flush()
    audit.record(by, "segment.changed", f"segment:{segment.id}", fields=sorted(changes))
    return segment


def remove(by: Attribution, segment_id: int) -> None:
    """Removes a segment; its contacts stay. Raises NotFound."""
    db.session.delete(get(segment_id))
    db.session.flush()
    audit.record(by, "segment.deleted", f"segment:{segment_id}")


def _refuse_known(name: str, segment_id: int | None) -> None:
    known = db.session.scalar(select(Segment).where(Segment.name_folded == name.casefold()))
    if known is not None and known.id != segment_id:
        raise Conflict("segment_exists", "There is a segment of this name.", detail={"segment_id": known.id})
