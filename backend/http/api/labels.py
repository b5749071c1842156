"""Labels of conversations."""

from __future__ import annotations

from typing import Any

from apiflask import APIBlueprint
from flask import Response

from backend.http import guards
from backend.http.guards import access
from backend.http.schemas.base import PageQuery
from backend.http.schemas.inbox import LabelChange, LabelIn, LabelOut, Labels
from backend.models import Label
from backend.services.inbox import labels

bp = APIBlueprint("labels", __name__, url_prefix="/api/labels", tag="Inbox")


@bp.get("")
@access()
@bp.input(PageQuery, location="query")
@bp.output(Labels)
def list_labels(query_data: PageQuery) -> dict[str, Any]:
    """List the workspace's labels, oldest first"""
    matches, following = labels.listing(cursor=query_data.cursor, limit=query_data.limit)
    return {"labels": matches, "next_cursor": following}


@bp.post("")
@access("operator", idempotent=True)
@bp.input(LabelIn)
@bp.output(LabelOut, status_code=201)
def create(json_data: LabelIn) -> Label:
    """Add a label; letter case does not tell two apart"""
    return labels.create(guards.attribution(), json_data.name, json_data.color)


@bp.get("/<int:label_id>")
@access()
@bp.output(LabelOut)
def show(label_id: int) -> Label:
    """Show a label"""
    return labels.get(label_id)


@bp.patch("/<int:label_id>")
@access("operator")
@bp.input(LabelChange)
@bp.output(LabelOut)
def change(label_id: int, json_data: LabelChange) -> Label:
    """Rename or colour a label"""
    return labels.change(guards.attribution(), label_id, name=json_data.name, color=json_data.color)


@bp.delete("/<int:label_id>")
@access("operator")
@bp.output({}, status_code=204)
def remove(label_id: int) -> Response:
    """Remove a label, also from the conversations that have it; rules about it go too"""
    labels.remove(guards.attribution(), label_id)
    return Response(status=204)
