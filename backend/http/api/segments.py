"""Saved segments of contacts."""

from __future__ import annotations

from typing import Any

from apiflask import APIBlueprint
from flask import Response

from backend.http import guards
from backend.http.guards import access
from backend.http.schemas.base import PageQuery
from backend.http.schemas.segments import SegmentChange, SegmentIn, SegmentOut, Segments, SegmentWithCount
from backend.models import Segment
from backend.services.contacts import filters, segments
from backend.services.contacts.filters import ContactFilter

bp = APIBlueprint("segments", __name__, url_prefix="/api/segments", tag="Contacts")


@bp.get("")
@access()
@bp.input(PageQuery, location="query")
@bp.output(Segments)
def listing(query_data: PageQuery) -> dict[str, Any]:
    """List saved segments"""
    listed, following = segments.listing(cursor=query_data.cursor, limit=query_data.limit)
    return {"segments": listed, "next_cursor": following}


@bp.post("")
@access("operator", idempotent=True)
@bp.input(SegmentIn)
@bp.output(SegmentOut, status_code=201)
def create(json_data: SegmentIn) -> Segment:
    """Save a segment"""
    wanted = ContactFilter.of(json_data.filter.given())
    return segments.create(guards.attribution(), json_data.name, wanted)


@bp.get("/<int:segment_id>")
@access()
@bp.output(SegmentWithCount)
def show(segment_id: int) -> dict[str, Any]:
    """Show a segment, and how many contacts it holds now"""
    segment = segments.get(segment_id)
    own = {name: getattr(segment, name) for name in SegmentOut.model_fields}
    return own | {"contacts": filters.count(ContactFilter.of(segment.filter))}


@bp.patch("/<int:segment_id>")
@access("operator")
@bp.input(SegmentChange)
@bp.output(SegmentOut)
def change(segment_id: int, json_data: SegmentChange) -> Segment:
    """Change a segment"""
    changes: dict[str, Any] = json_data.model_dump(exclude_unset=True, include={"name"})
    if "filter" in json_data.model_fields_set:
        changes["filter"] = ContactFilter.of(json_data.filter.given())
    return segments.change(guards.attribution(), segment_id, changes)


@bp.delete("/<int:segment_id>")
@access("operator")
@bp.output({}, status_code=204)
def remove(segment_id: int) -> Response:
    """Remove a segment; its contacts stay"""
    segments.remove(guards.attribution(), segment_id)
    return Response(status=204)
