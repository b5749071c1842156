"""Contacts: what identifies them, their consents, the workspace's settings for them, and the export."""

from __future__ import annotations

from typing import Any, Final

from apiflask import APIBlueprint
from flask import Response, send_file

from backend.http import guards
from backend.http.guards import access
from backend.http.schemas.base import PageQuery
from backend.http.schemas.contacts import (
    ConsentIn,
    ConsentOut,
    Consents,
    ContactChange,
    ContactIn,
    ContactOut,
    Contacts,
    ContactSettingsChange,
    ContactSettingsOut,
    ContactsQuery,
    ExportQuery,
    OptInLink,
    PointIn,
    PointOut,
)
from backend.models import Consent, ContactSettings
from backend.services.contacts import bot_opt_in, consents, export, listings, opt_in, points, records, serializers
from backend.services.contacts import settings as contact_settings

bp = APIBlueprint("contacts", __name__, url_prefix="/api/contacts", tag="Contacts")

_CSV: Final[dict[Any, Any]] = {
    200: {"description": "The contacts", "content": {"text/csv": {"schema": {"type": "string"}}}}
}


@bp.get("")
@access()
@bp.input(ContactsQuery, location="query")
@bp.output(Contacts)
def listing(query_data: ContactsQuery) -> dict[str, Any]:
    """List contacts, the newest first

    A search that takes longer than two seconds is 503 `search_too_slow`.
    """
    wanted = listings.filters_of(query_data.given(), query_data.segment_id)
    listed, following = listings.page(wanted, cursor=query_data.cursor, limit=query_data.limit)
    return {"contacts": serializers.describe(listed), "next_cursor": following}


@bp.post("")
@access("operator", idempotent=True)
@bp.input(ContactIn)
@bp.output(ContactOut, status_code=201)
def create(json_data: ContactIn) -> dict[str, Any]:
    """Add a contact

    What another contact has already is 409 `contact_exists` with its `contact_id`.
    """
    return serializers.describe_one(records.create(guards.attribution(), json_data.model_dump(exclude_unset=True)))


@bp.get("/export")
@access()
@bp.input(ExportQuery, location="query")
@bp.doc(responses=_CSV)
def download(query_data: ExportQuery) -> Response:
    """Export contacts as CSV

    Phone numbers are written in groups, which spreadsheets keep; what begins like a formula gets an apostrophe.
    """
    wanted = listings.filters_of(query_data.given(), query_data.segment_id)
    file = export.write(guards.attribution(), *wanted)
    response = send_file(file, mimetype="text/csv", as_attachment=True, download_name="contacts.csv", etag=False)
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response


@bp.get("/settings")
@access()
@bp.output(ContactSettingsOut)
def settings() -> ContactSettings:
    """Show what holds for all contacts"""
    return contact_settings.get()


@bp.patch("/settings")
@access("admin")
@bp.input(ContactSettingsChange)
@bp.output(ContactSettingsOut)
def change_settings(json_data: ContactSettingsChange) -> ContactSettings:
    """Change what holds for all contacts"""
    return contact_settings.change(guards.attribution(), json_data.model_dump(exclude_unset=True))


@bp.get("/<int:contact_id>")
@access()
@bp.output(ContactOut)
def show(contact_id: int) -> dict[str, Any]:
    """Show a contact"""
    return serializers.describe_one(records.get(contact_id))


@bp.patch("/<int:contact_id>")
@access("operator")
@bp.input(ContactChange)
@bp.output(ContactOut)
def change(contact_id: int, json_data: ContactChange) -> dict[str, Any]:
    """Change a contact

    A new phone, address or user name takes the place of the primary one.
    """
    changes = json_data.model_dump(exclude_unset=True)
    return serializers.describe_one(records.change(guards.attribution(), contact_id, changes))


@bp.delete("/<int:contact_id>")
@access("operator")
@bp.output({}, status_code=204)
def erase(contact_id: int) -> Response:
    """Erase a contact

    Values, points and tags go. Consents stay under the id, suppressions as hashes: imported again, the person is still
    suppressed.
    """
    records.erase(guards.attribution(), contact_id)
    return Response(status=204)


@bp.post("/<int:contact_id>/points")
@access("operator", idempotent=True)
@bp.input(PointIn)
@bp.output(PointOut, status_code=201)
def add_point(contact_id: int, json_data: PointIn) -> dict[str, Any]:
    """Add a phone, an address or a user name to a contact"""
    contact = records.get(contact_id, lock=True)
    return points.add_one(
        guards.attribution(),
        contact,
        json_data.kind,
        json_data.value,
        label=json_data.label,
        primary=json_data.primary,
    )


@bp.delete("/<int:contact_id>/points/<int:point_id>")
@access("operator")
@bp.output({}, status_code=204)
def remove_point(contact_id: int, point_id: int) -> Response:
    """Remove a phone, an address or a user name from a contact"""
    points.remove(guards.attribution(), records.get(contact_id, lock=True), point_id)
    return Response(status=204)


@bp.get("/<int:contact_id>/opt-in-link")
@access("operator")
@bp.output(OptInLink)
def opt_in_link(contact_id: int) -> dict[str, str | None]:
    """Show the address at which this contact agrees to be written to

    Opening it changes nothing; its button records a consent with the wording of the settings. `bot_url` opens the
    workspace's bot, which asks the same. Without a wording it is 409 `no_opt_in_wording`.
    """
    url, bot_url = opt_in.link_of_contact(contact_id), bot_opt_in.link_of_contact(contact_id)
    return {"url": url, "bot_url": bot_url, "wording": contact_settings.get().opt_in_wording or ""}


@bp.get("/<int:contact_id>/consents")
@access()
@bp.input(PageQuery, location="query")
@bp.output(Consents)
def list_consents(contact_id: int, query_data: PageQuery) -> dict[str, Any]:
    """List a contact's consents, the last recorded first"""
    contact = records.get(contact_id)
    listed, following = consents.listing(contact.id, cursor=query_data.cursor, limit=query_data.limit)
    return {"consents": listed, "next_cursor": following}


@bp.post("/<int:contact_id>/consents")
@access("operator", idempotent=True)
@bp.input(ConsentIn)
@bp.output(ConsentOut, status_code=201)
def record_consent(contact_id: int, json_data: ConsentIn) -> Consent:
    """Record a consent, or that one was withdrawn

    Entries are only added. Of several for a channel and purpose the one obtained last counts.
    """
    contact = records.get(contact_id, lock=True)
    return consents.record(guards.attribution(), contact, json_data.model_dump(exclude_none=True))
