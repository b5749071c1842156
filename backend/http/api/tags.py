"""Tags of contacts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from apiflask import APIBlueprint
from flask import Response

from backend.http import guards
from backend.http.guards import access
from backend.http.schemas.base import PageQuery
from backend.http.schemas.tags import TagIn, TagOut, Tags
from backend.models import Tag
from backend.services.contacts import tags

bp = APIBlueprint("tags", __name__, url_prefix="/api/tags", tag="Contacts")


@bp.get("")
@access()
@bp.input(PageQuery, location="query")
@bp.output(Tags)
def listing(query_data: PageQuery) -> dict[str, Any]:
    """List tags, with how many contacts have each"""
    listed, following = tags.listing(cursor=query_data.cursor, limit=query_data.limit)
    return {"tags": _shown(listed), "next_cursor": following}


@bp.post("")
@access("operator", idempotent=True)
@bp.input(TagIn)
@bp.output(TagOut, status_code=201)
def create(json_data: TagIn) -> dict[str, Any]:
    """Add a tag"""
    return _shown([tags.create(guards.attribution(), json_data.name)])[0]


@bp.get("/<int:tag_id>")
@access()
@bp.output(TagOut)
def show(tag_id: int) -> dict[str, Any]:
    """Show a tag"""
    return _shown([tags.get(tag_id)])[0]


@bp.patch("/<int:tag_id>")
@access("operator")
@bp.input(TagIn)
@bp.output(TagOut)
def change(tag_id: int, json_data: TagIn) -> dict[str, Any]:
    """Rename a tag"""
    return _shown([tags.rename(guards.attribution(), tag_id, json_data.name)])[0]


@bp.delete("/<int:tag_id>")
@access("operator")
@bp.output({}, status_code=204)
def remove(tag_id: int) -> Response:
    """Remove a tag, also from the contacts that have it"""
    tags.remove(guards.attribution(), tag_id)
    return Response(status=204)


def _shown(rows: Sequence[Tag]) -> list[dict[str, Any]]:
    counts = tags.counts(rows)
    return [
        {"id": tag.id, "name": tag.name, "contacts": counts.get(tag.id, 0), "created_at": tag.created_at}
        for tag in rows
    ]
