"""What holds for all contacts: region, zone, consent rules, and the workspace's own fields."""

from __future__ import annotations

from typing import Any, Final, get_args

from flask import Response, request, url_for

from backend.core.errors import AppError, Conflict, Invalid
from backend.http.console.contacts import forms as contact_forms
from backend.http.console.kit import form_errors, forms, pages
from backend.http.console.kit.guards import attribution, page
from backend.http.schemas.contact_fields import ContactFieldChange, ContactFieldIn
from backend.http.schemas.contacts import ContactSettingsChange
from backend.services.contacts import custom_fields
from backend.services.contacts import settings as contact_settings

bp = pages.blueprint("contact_settings", __name__)

_TEXTS: Final = ("region", "timezone", "opt_in_wording")


@bp.get("/console/contacts/settings")
@page()
def show() -> Response:
    """The settings and the fields."""
    return _page()


@bp.post("/console/contacts/settings")
@page("admin")
def change() -> Response:
    """Changes what holds for all contacts."""
    typed = contact_forms.typed()
    given: dict[str, Any] = {
        name: typed.get(name, "").strip() or None for name in ("region", "timezone", "opt_in_wording")
    }
    given["region"] = given["region"].upper() if given["region"] else None
    given |= forms.values("rules", "quiet_days")
    if "opt_out_words" in request.form:
        given["opt_out_words"] = contact_forms.parts_of(request.form["opt_out_words"])
    try:
        wanted = forms.checked(ContactSettingsChange, given).model_dump(exclude_unset=True)
        contact_settings.change(attribution(), wanted)
    except Invalid as error:
        return _page(error, typed, faults=form_errors.by_field(error, contact_forms.SETTINGS))
    return pages.redirect_with_toast(url_for(".show"), pages.t("console_contacts.said.settings"))


@bp.post("/console/contacts/settings/fields")
@page("operator")
def create_field() -> Response:
    """Adds a field; the toast takes it back."""
    given = _field("key", "name", "type")
    given.setdefault("name", given.get("key", ""))
    try:
        wanted = forms.checked(ContactFieldIn, given)
        field = custom_fields.create(attribution(), wanted.key, wanted.name, wanted.type, wanted.choices)
    except (Invalid, Conflict) as error:
        return _page(error, contact_forms.typed(), field_faults=form_errors.by_field(error, contact_forms.FIELD))
    return pages.redirect_with_toast(
        url_for(".show"),
        pages.t("console_contacts.said.field_added", name=field.name),
        undo=url_for(".remove_field", field_id=field.id),
    )


@bp.get("/console/contacts/settings/fields/<int:field_id>")
@page("operator")
def field_form(field_id: int) -> Response:
    """The form of a field; key and type stay."""
    field = custom_fields.get(field_id)
    return _field_form(field_id, {"name": field.name, "choices": "\n".join(field.choices)})


@bp.post("/console/contacts/settings/fields/<int:field_id>")
@page("operator")
def change_field(field_id: int) -> Response:
    """Changes name and choices."""
    known = custom_fields.get(field_id)
    given = _field("name") if known.type == "choice" else forms.values("name")
    try:
        wanted = forms.checked(ContactFieldChange, {"name": "", **given}).model_dump(exclude_unset=True)
        field = custom_fields.change(attribution(), field_id, wanted)
    except Invalid as error:
        return _field_form(field_id, contact_forms.typed(), error)
    return pages.redirect_with_toast(url_for(".show"), pages.t("console_contacts.said.field_saved", name=field.name))


@bp.post("/console/contacts/settings/fields/<int:field_id>/remove")
@page("operator")
def remove_field(field_id: int) -> Response:
    """Removes a field with its values."""
    name = custom_fields.get(field_id).name
    custom_fields.remove(attribution(), field_id)
    return pages.redirect_with_toast(url_for(".show"), pages.t("console_contacts.said.field_removed", name=name))


def _field(*names: str) -> dict[str, Any]:
    given: dict[str, Any] = dict(forms.values(*names))
    given["choices"] = contact_forms.parts_of(request.form.get("choices", ""))
    return given


def _page(
    error: AppError | None = None,
    typed: dict[str, str] | None = None,
    *,
    faults: dict[str, str] | None = None,
    field_faults: dict[str, str] | None = None,
) -> Response:
    return pages.render(
        "contacts/settings.html",
        "contacts",
        pages.t("console.nav.contacts"),
        error.status if error else 200,
        tab="settings",
        settings=contact_settings.get(),
        fields=list(custom_fields.by_key().values()),
        types=custom_fields.TYPES,
        rules=get_args(ContactSettingsChange.model_fields["rules"].annotation),
        typed=typed or {},
        faults=faults or {},
        field_faults=field_faults or {},
    )


def _field_form(field_id: int, typed: dict[str, str], error: AppError | None = None) -> Response:
    field = custom_fields.get(field_id)
    return pages.render(
        "contacts/field.html",
        "contacts",
        field.name,
        error.status if error else 200,
        field=field,
        typed=typed,
        faults=form_errors.by_field(error, contact_forms.FIELD) if error else {},
        width="text",
    )
