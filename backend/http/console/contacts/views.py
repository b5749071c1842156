"""People: the list that the address asks for, one of them with everything known, and what is done to them."""

from __future__ import annotations

from typing import Any, Final

from flask import Response, request, send_file, url_for

from backend.core.errors import AppError, Conflict, Invalid, NotFound, Unavailable
from backend.http.console.contacts import chosen, shown
from backend.http.console.contacts import forms as contact_forms
from backend.http.console.kit import form_errors, forms, pages
from backend.http.console.kit.guards import attribution, page
from backend.http.schemas.contacts import ContactChange, ContactIn, PointIn
from backend.models import ContactField
from backend.services.auth import people
from backend.services.contacts import consents as consent_entries
from backend.services.contacts import (
    custom_fields,
    export,
    filters,
    history,
    listings,
    opt_in,
    points,
    records,
    segments,
    serializers,
    suppressions,
    tags,
)

bp = pages.blueprint("contacts", __name__)

MAX_COUNTED: Final = 10_000
"""Contacts up to which a list says how many there are."""
_CONSENTS: Final = 20
_EXPECTED = (Invalid, Conflict, NotFound)


@bp.get("/console/contacts")
@page()
def listing() -> Response:
    """The contacts that the address asks for. The script asks for the table alone when something has changed."""
    values = _listed()
    if request.headers.get("HX-Request"):
        return pages.fragment("contacts/rows.html", **values)
    return _page(values)


@bp.get("/console/contacts/export")
@page()
def download() -> Response:
    """The same contacts as CSV."""
    file = export.write(attribution(), *chosen.of_address().wanted)
    response = send_file(file, mimetype="text/csv", as_attachment=True, download_name="contacts.csv", etag=False)
    response.headers["X-Content-Type-Options"] = "nosniff"
    return pages.protect(response)


@bp.get("/console/contacts/new")
@page("operator")
def new() -> Response:
    """An empty form."""
    return _form({})


@bp.post("/console/contacts")
@page("operator")
def create() -> Response:
    """Adds a contact."""
    try:
        given = contact_forms.given(custom_fields.by_key().values(), empty=False)
        wanted = forms.checked(ContactIn, given).model_dump(exclude_unset=True)
        contact = records.create(attribution(), wanted, source="console")
    except _EXPECTED as error:
        return _form(contact_forms.typed(), error=error)
    name = shown.name_of(serializers.describe_one(contact))
    return pages.redirect_with_toast(
        url_for(".show", contact_id=contact.id), pages.t("console_contacts.said.added", name=name)
    )


@bp.get("/console/contacts/<int:contact_id>")
@page()
def show(contact_id: int) -> Response:
    """One contact in a drawer beside the list."""
    person = _person(contact_id)
    if request.headers.get("HX-Request"):
        return pages.fragment("contacts/person.html", here=url_for(".listing"), **person)
    return _page(_listed() | person)


@bp.get("/console/contacts/<int:contact_id>/change")
@page("operator")
def change_form(contact_id: int) -> Response:
    """The form with what is known."""
    contact = serializers.describe_one(records.get(contact_id))
    return _form(contact_forms.of_contact(contact), contact=contact)


@bp.post("/console/contacts/<int:contact_id>/change")
@page("operator")
def change(contact_id: int) -> Response:
    """Changes what stands in the form; an empty field takes its value away."""
    known = serializers.describe_one(records.get(contact_id))
    try:
        given = contact_forms.given(custom_fields.by_key().values(), empty=True)
        wanted = forms.checked(ContactChange, given).model_dump(exclude_unset=True)
        contact = records.change(attribution(), contact_id, wanted)
    except _EXPECTED as error:
        return _form(contact_forms.typed(), contact=known, error=error)
    name = shown.name_of(serializers.describe_one(contact))
    return pages.redirect_with_toast(
        url_for(".show", contact_id=contact_id), pages.t("console_contacts.said.saved", name=name)
    )


@bp.post("/console/contacts/<int:contact_id>/erase")
@page("operator")
def erase(contact_id: int) -> Response:
    """Erases a person for good."""
    name = shown.name_of(serializers.describe_one(records.get(contact_id)))
    records.erase(attribution(), contact_id)
    return pages.redirect_with_toast(url_for(".listing"), pages.t("console_contacts.said.erased", name=name))


@bp.post("/console/contacts/<int:contact_id>/points")
@page("operator")
def add_point(contact_id: int) -> Response:
    """Adds something to be reached by; the toast takes it away again."""
    contact = records.get(contact_id, lock=True)
    given = forms.values("kind", "value", "label")
    try:
        wanted = forms.checked(PointIn, given)
        point = points.add_one(
            attribution(), contact, wanted.kind, wanted.value, label=wanted.label, primary="primary" in request.form
        )
    except _EXPECTED as error:
        return _refused(contact_id, error, "point_faults", form_errors.by_field(error, contact_forms.POINT), given)
    return pages.redirect_with_toast(
        url_for(".show", contact_id=contact_id),
        pages.t("console_contacts.said.point_added", value=shown.value_of(point)),
        undo=url_for(".remove_point", contact_id=contact_id, point_id=point["id"]),
    )


@bp.post("/console/contacts/<int:contact_id>/points/<int:point_id>/remove")
@page("operator")
def remove_point(contact_id: int, point_id: int) -> Response:
    """Takes a point away."""
    points.remove(attribution(), records.get(contact_id, lock=True), point_id)
    return pages.redirect_with_toast(
        url_for(".show", contact_id=contact_id), pages.t("console_contacts.said.point_removed")
    )


@bp.post("/console/contacts/<int:contact_id>/suppress")
@page("operator")
def suppress(contact_id: int) -> Response:
    """Suppresses a contact under everything they have."""
    code = request.form.get("code", "")
    contact = records.get(contact_id)
    try:
        suppressions.suppress_contact(
            attribution(),
            contact.id,
            code=code if code in ("opted_out", "complaint", "requested", "other") else "requested",
            source="console",
        )
    except Invalid as error:
        return _refused(contact_id, error, "point_faults", form_errors.by_field(error, contact_forms.POINT), {})
    return pages.redirect_with_toast(
        url_for(".show", contact_id=contact_id), pages.t("console_contacts.said.suppressed")
    )


def _page(values: dict[str, Any]) -> Response:
    title = values["name"] if values.get("contact") else pages.t("console.nav.contacts")
    return pages.render("contacts/listing.html", "contacts", title, **{"contact": None, "tab": "people"} | values)


def _listed() -> dict[str, Any]:
    """The table with everything around it, by a constant number of statements."""
    asked = chosen.of_address()
    listed, following = listings.page(asked.wanted, cursor=request.args.get("cursor"))
    try:
        total = filters.count_up_to(MAX_COUNTED + 1, *asked.wanted)
    except Unavailable:  # too many to be counted in time
        total = MAX_COUNTED + 1
    return {
        "rows": [_row(contact) for contact in serializers.describe(listed)],
        "total": total,
        "max_counted": MAX_COUNTED,
        "following": following,
        "chosen": asked,
        "tags": [(tag.name, tag.name) for tag in tags.listing(limit=200)[0]],
        "segments": [(segment.id, segment.name) for segment in segments.listing(limit=200)[0]],
        "here": url_for(".listing", **asked.arguments),
        "table": url_for(".listing", cursor=request.args.get("cursor"), **asked.arguments),
    }


def _row(contact: dict[str, Any]) -> dict[str, Any]:
    state, entry = shown.consent_of(contact)
    return {
        "contact": contact,
        "name": shown.name_of(contact),
        "note": shown.note_of(contact),
        "reached_by": [(shown.KINDS[point["kind"]], shown.value_of(point)) for point in contact["points"][:2]],
        "more_points": max(0, len(contact["points"]) - 2),
        "consent": state,
        "entry": entry,
    }


def _person(contact_id: int) -> dict[str, Any]:
    contact = serializers.describe_one(records.get(contact_id))
    entries, more_entries = consent_entries.listing(contact_id, limit=_CONSENTS)
    talks = history.conversations_of(contact_id)
    owner = None
    if contact["owner_id"] is not None:
        owner = people.get(contact["owner_id"]).name
    held = suppressions.listing(contact_id=contact_id)[0] if contact["suppressed"] else []
    return {
        "contact": contact,
        "name": shown.name_of(contact),
        "note": shown.note_of(contact),
        "points": [(shown.KINDS[point["kind"]], shown.value_of(point), point) for point in contact["points"]],
        "owner": owner,
        "own": list(custom_fields.by_key().values()),
        "entries": entries,
        "more_entries": more_entries is not None,
        "suppressions": held,
        "talks": talks,
        "said": history.last_messages(talks),
        "opt_in_link": _opt_in_link(contact_id),
        "point_faults": {},
        "typed": {},
        "other": None,
    }


def _opt_in_link(contact_id: int) -> str | None:
    """The address at which the contact agrees; None where there is no wording, or nothing is known of them."""
    try:
        return opt_in.link_of_contact(contact_id)
    except (Conflict, Invalid):
        return None


def _refused(contact_id: int, error: AppError, name: str, by_field: dict[str, str], typed: dict[str, str]) -> Response:
    """The contact again, with what was refused at its form."""
    if not by_field:
        raise error
    values = _listed() | _person(contact_id)
    values |= {name: by_field, "typed": typed, "other": contact_forms.other_contact(error)}
    response = _page(values)
    response.status_code = error.status
    return response


def _form(typed: dict[str, Any], *, contact: dict[str, Any] | None = None, error: AppError | None = None) -> Response:
    title = pages.t("console_contacts.change.title" if contact else "console_contacts.new.title")
    return pages.render(
        "contacts/form.html",
        "contacts",
        title,
        error.status if error else 200,
        contact=contact,
        name=shown.name_of(contact) if contact else None,
        typed=typed,
        faults=form_errors.by_field(error, contact_forms.CONTACT) if error else {},
        other=contact_forms.other_contact(error) if error else None,
        own=[(field, _options(field)) for field in custom_fields.by_key().values()],
        persons=[(person.id, person.name) for person in people.listing(cursor=None, limit=200)[0]],
        width="text",
    )


def _options(field: ContactField) -> list[tuple[str, str]]:
    """What can be chosen of a custom field; nothing for one into which people write."""
    if field.type == "boolean":
        return [("true", pages.t("console_contacts.yes")), ("false", pages.t("console_contacts.no"))]
    return [(choice, choice) for choice in field.choices]
