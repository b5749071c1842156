"""Segments: filters of the list that were given a name."""

from __future__ import annotations

from typing import Any

from flask import Response, request, url_for

from backend.core.errors import AppError, Conflict, Invalid
from backend.http.console.contacts import chosen
from backend.http.console.contacts import forms as contact_forms
from backend.http.console.kit import form_errors, forms, pages
from backend.http.console.kit.guards import attribution, page
from backend.http.schemas.segments import SegmentIn
from backend.services.contacts import segments
from backend.services.contacts.filters import ContactFilter

bp = pages.blueprint("contact_segments", __name__)


@bp.get("/console/contacts/segments")
@page()
def listing() -> Response:
    """The segments, the oldest first."""
    listed, following = segments.listing(cursor=request.args.get("cursor"))
    return pages.render(
        "contacts/segments.html",
        "contacts",
        pages.t("console.nav.contacts"),
        tab="segments",
        rows=[(segment, _parts(segment.filter)) for segment in listed],
        following=following,
    )


@bp.get("/console/contacts/segments/new")
@page("operator")
def new() -> Response:
    """Asks for the name of the filters that the address holds."""
    return _form({})


@bp.post("/console/contacts/segments")
@page("operator")
def create() -> Response:
    """Saves the filters of the address under a name; the toast takes it back."""
    asked = chosen.of_address()
    given = forms.values("name")
    try:
        wanted = {name: value for name, value in asked.values.items() if name != "segment_id"}
        named = forms.checked(SegmentIn, {"name": given.get("name", ""), "filter": wanted})
        segment = segments.create(attribution(), named.name, ContactFilter.of(named.filter.given()))
    except (Invalid, Conflict) as error:
        return _form(given, error)
    return pages.redirect_with_toast(
        url_for("console_contacts.listing", segment_id=segment.id),
        pages.t("console_contacts.said.segment_saved", name=segment.name),
        undo=url_for(".remove", segment_id=segment.id),
    )


@bp.post("/console/contacts/segments/<int:segment_id>/remove")
@page("operator")
def remove(segment_id: int) -> Response:
    """Removes a segment; its contacts stay."""
    name = segments.get(segment_id).name
    segments.remove(attribution(), segment_id)
    return pages.redirect_with_toast(url_for(".listing"), pages.t("console_contacts.said.segment_removed", name=name))


def _form(typed: dict[str, str], error: AppError | None = None) -> Response:
    asked = chosen.of_address()
    return pages.render(
        "contacts/segment.html",
        "contacts",
        pages.t("console_contacts.segment.title"),
        error.status if error else 200,
        chosen=asked,
        typed=typed,
        faults=form_errors.by_field(error, contact_forms.SEGMENT) if error else {},
        width="text",
    )


def _parts(stored: dict[str, Any]) -> list[tuple[str, str]]:
    """Each filter with its value, for reading."""
    return [
        (name, str(item)) for name, value in stored.items() for item in (value if isinstance(value, list) else [value])
    ]
