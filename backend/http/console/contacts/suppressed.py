"""Suppressions: who must not be written to, adding somebody by what identifies them, and lifting one."""

from __future__ import annotations

from typing import Any, get_args

from flask import Response, request, url_for

from backend.core.errors import AppError, Invalid
from backend.http.console.contacts import forms as contact_forms
from backend.http.console.kit import form_errors, forms, pages
from backend.http.console.kit.guards import attribution, page
from backend.http.schemas.contacts import Kind
from backend.http.schemas.suppressions import Code, LiftIn, SuppressionIn
from backend.services.contacts import suppressions

bp = pages.blueprint("contact_suppressions", __name__)


@bp.get("/console/contacts/suppressed")
@page()
def listing() -> Response:
    """Everybody who must not be written to, the newest first."""
    return _page()


@bp.post("/console/contacts/suppressed")
@page("operator")
def create() -> Response:
    """Suppresses the person whom a number, an address or a name identifies."""
    given = forms.values("kind", "value", "region", "code")
    if "region" in given:
        given["region"] = given["region"].upper()
    try:
        wanted = forms.checked(SuppressionIn, given)
        added = suppressions.suppress_value(
            attribution(), wanted.kind or "", wanted.value or "", wanted.region, code=wanted.code
        )
    except Invalid as error:
        return _page(contact_forms.typed(), error)
    words = "console_contacts.said.suppressed" if added else "console_contacts.said.suppressed_before"
    return pages.redirect_with_toast(url_for(".listing"), pages.t(words))


@bp.get("/console/contacts/suppressed/<int:suppression_id>/lift")
@page("admin")
def lift_form(suppression_id: int) -> Response:
    """Asks for the reason."""
    return _lift_form(suppression_id, "")


@bp.post("/console/contacts/suppressed/<int:suppression_id>/lift")
@page("admin")
def lift(suppression_id: int) -> Response:
    """Lifts all suppressions of the person, with a reason."""
    given = forms.values("reason")
    try:
        wanted = forms.checked(LiftIn, given)
    except Invalid as error:
        return _lift_form(suppression_id, given.get("reason", ""), error)
    lifted = suppressions.lift(attribution(), suppression_id, wanted.reason)
    return pages.redirect_with_toast(
        forms.return_url(url_for(".listing")), pages.t("console_contacts.said.lifted", count=lifted)
    )


def _lift_form(suppression_id: int, reason: str, error: AppError | None = None) -> Response:
    row = suppressions.get(suppression_id)
    return pages.render(
        "contacts/lift.html",
        "contacts",
        pages.t("console_contacts.lift.title"),
        error.status if error else 200,
        row=row,
        holder=suppressions.contacts_of([row]).get(row.id),
        reason=reason,
        faults=form_errors.by_field(error, contact_forms.LIFT) if error else {},
        back=forms.return_url(request.args.get("back") or url_for(".listing")),
        width="text",
    )


def _page(typed: dict[str, Any] | None = None, error: AppError | None = None) -> Response:
    listed, following = suppressions.listing(cursor=request.args.get("cursor"))
    return pages.render(
        "contacts/suppressed.html",
        "contacts",
        pages.t("console.nav.contacts"),
        error.status if error else 200,
        tab="suppressed",
        rows=listed,
        holders=suppressions.contacts_of(listed),
        following=following,
        typed=typed or {},
        faults=form_errors.by_field(error, contact_forms.SUPPRESS) if error else {},
        kinds=get_args(Kind),
        codes=get_args(Code),
    )
