"""Custom fields of contacts."""

from __future__ import annotations

from typing import Any

from apiflask import APIBlueprint
from flask import Response

from backend.http import guards
from backend.http.guards import access
from backend.http.schemas.base import PageQuery
from backend.http.schemas.contact_fields import ContactFieldChange, ContactFieldIn, ContactFieldOut, ContactFields
from backend.models import ContactField
from backend.services.contacts import custom_fields

bp = APIBlueprint("contact_fields", __name__, url_prefix="/api/contact-fields", tag="Contacts")


@bp.get("")
@access()
@bp.input(PageQuery, location="query")
@bp.output(ContactFields)
def listing(query_data: PageQuery) -> dict[str, Any]:
    """List custom fields"""
    fields, following = custom_fields.listing(cursor=query_data.cursor, limit=query_data.limit)
    return {"contact_fields": fields, "next_cursor": following}


@bp.post("")
@access("operator", idempotent=True)
@bp.input(ContactFieldIn)
@bp.output(ContactFieldOut, status_code=201)
def create(json_data: ContactFieldIn) -> ContactField:
    """Add a custom field"""
    return custom_fields.create(guards.attribution(), json_data.key, json_data.name, json_data.type, json_data.choices)


@bp.get("/<int:field_id>")
@access()
@bp.output(ContactFieldOut)
def show(field_id: int) -> ContactField:
    """Show a custom field"""
    return custom_fields.get(field_id)


@bp.patch("/<int:field_id>")
@access("operator")
@bp.input(ContactFieldChange)
@bp.output(ContactFieldOut)
def change(field_id: int, json_data: ContactFieldChange) -> ContactField:
    """Change a custom field

    Values that are no choice any more stay where they are.
    """
    return custom_fields.change(guards.attribution(), field_id, json_data.model_dump(exclude_unset=True))


@bp.delete("/<int:field_id>")
@access("operator")
@bp.output({}, status_code=204)
def remove(field_id: int) -> Response:
    """Remove a custom field, with its values"""
    custom_fields.remove(guards.attribution(), field_id)
    return Response(status=204)
