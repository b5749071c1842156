"""Recording what a contact agreed to, or that they took it back."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final, get_args

from flask import Response, request, url_for

from backend.core.errors import AppError, Invalid, field_error
from backend.http.console.contacts import forms as contact_forms
from backend.http.console.contacts import shown
from backend.http.console.kit import form_errors, forms, pages
from backend.http.console.kit.guards import attribution, page
from backend.http.schemas.contacts import Channel, ConsentIn, Purpose
from backend.services.contacts import consents, records, serializers

bp = pages.blueprint("contact_consents", __name__)

SOURCES: Final = ("form", "chat", "event", "paper")
"""How a person tells that a consent came; the others are programs'."""
_TEXTS: Final = ("channel", "purpose", "state", "source", "source_detail", "wording", "evidence")


@bp.get("/console/contacts/<int:contact_id>/consents/new")
@page("operator")
def new(contact_id: int) -> Response:
    """An empty form."""
    return _form(contact_id, {})


@bp.post("/console/contacts/<int:contact_id>/consents")
@page("operator")
def create(contact_id: int) -> Response:
    """Adds an entry; entries are never changed."""
    contact = records.get(contact_id, lock=True)
    given: dict[str, Any] = {"source": "form", **forms.values(*_TEXTS)}
    given["night_ok"] = "night_ok" in request.form
    try:
        if moment := request.form.get("obtained_at", "").strip():
            given["obtained_at"] = _moment(moment)
        entry = forms.checked(ConsentIn, given).model_dump(exclude_none=True)
        consents.record(attribution(), contact, entry)
    except Invalid as error:
        return _form(contact_id, contact_forms.typed(), error)
    return pages.redirect_with_toast(
        url_for("console_contacts.show", contact_id=contact_id), pages.t("console_contacts.said.consent")
    )


def _moment(written: str) -> datetime:
    """A moment of the person's zone, as the field gives it. Raises Invalid."""
    try:
        moment = datetime.fromisoformat(written)
        return moment if moment.tzinfo else moment.replace(tzinfo=pages.zone())
    except (ValueError, OverflowError):
        fault = field_error("obtained_at", "datetime_parsing", "This is no date and time.")
        raise Invalid.of_fields([fault]) from None


def _form(contact_id: int, typed: dict[str, str], error: AppError | None = None) -> Response:
    contact = serializers.describe_one(records.get(contact_id))
    return pages.render(
        "contacts/consent.html",
        "contacts",
        pages.t("console_contacts.consent.title"),
        error.status if error else 200,
        contact=contact,
        name=shown.name_of(contact),
        typed=typed,
        faults=form_errors.by_field(error, contact_forms.CONSENT) if error else {},
        choices=[
            (name, [(value, pages.t(f"console_contacts.{name}.{value}")) for value in values])
            for name, values in (("channel", get_args(Channel)), ("purpose", get_args(Purpose)), ("source", SOURCES))
        ],
        zone=pages.zone().key,
        width="text",
    )
