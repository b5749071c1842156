"""The types of notifications: what each one says, tried out in every language while it is written."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from flask import Response, request, url_for

from backend.core import i18n
from backend.core.errors import Conflict, Invalid, NotFound
from backend.http.console.kit import form_errors, forms, pages
from backend.http.console.kit.guards import actor, attribution, page
from backend.http.console.notifications import forms as type_form
from backend.http.schemas.notifications import TypeChange, TypeIn
from backend.models import NotificationType
from backend.services.notifications import custom_types, known_types

bp = pages.blueprint("notification_types", __name__)

EXAMPLE = {"order": {"id": 20418, "title": "Desk lamp"}, "customer": "Robin Example"}
_BASE = "/console/notifications/types"
_MAX_ID = 2**63 - 1


@bp.get(_BASE)
@page()
def listing() -> Response:
    """The built-in types and the workspace's own."""
    listed, following = custom_types.listing(cursor=request.args.get("cursor"))
    built_in = {name: pages.t(f"notifications.type.{name}") for name in known_types.BUILT_IN}
    return _render("notifications/types.html", types=listed, built_in=built_in, following=following)


@bp.get(f"{_BASE}/new")
@page("operator")
def new() -> Response:
    """An empty editor."""
    return _editor({})


@bp.post(_BASE)
@page("operator")
def create() -> Response:
    """Defines a type."""
    given = type_form.given() | forms.values("name")
    try:
        custom_type = custom_types.create(attribution(), forms.checked(TypeIn, given).model_dump())
    except (Invalid, Conflict) as error:
        return _editor(given, faults=form_errors.by_field(error, type_form.FORM), status=error.status)
    return pages.redirect_with_toast(
        url_for("console_notification_types.show", type_id=custom_type.id),
        pages.t("console_notifications.type.created", title=custom_type.title),
    )


@bp.get(f"{_BASE}/<int:type_id>")
@page()
def show(type_id: int) -> Response:
    """A type in its editor; who may not change it reads."""
    custom_type = _get(type_id)
    return _editor({name: getattr(custom_type, name) for name in custom_types.FIELDS}, known=custom_type)


@bp.post(f"{_BASE}/<int:type_id>")
@page("operator")
def change(type_id: int) -> Response:
    """Changes a type; the name stays."""
    custom_type = _get(type_id)
    given = type_form.given()
    if not given.get("title"):
        given.pop("title", None)
    try:
        wanted = forms.checked(TypeChange, given).model_dump(exclude_unset=True)
        changed = custom_types.change(attribution(), type_id, wanted)
    except Invalid as error:
        return _editor(
            given | {"name": custom_type.name},
            known=custom_type,
            faults=form_errors.by_field(error, type_form.FORM),
            status=error.status,
        )
    return pages.redirect_with_toast(
        url_for("console_notification_types.show", type_id=type_id),
        pages.t("console_notifications.type.saved", title=changed.title),
    )


@bp.post(f"{_BASE}/<int:type_id>/delete")
@page("operator")
def delete(type_id: int) -> Response:
    """Deletes a type; its events and messages stay."""
    title = _get(type_id).title
    custom_types.delete(attribution(), type_id)
    return pages.redirect_with_toast(
        url_for("console_notification_types.listing"), pages.t("console_notifications.type.deleted", title=title)
    )


@bp.post(f"{_BASE}/preview")
@page()
def preview() -> Response:
    """What people would read, in every language; stores nothing."""
    return pages.fragment(
        "notifications/type_preview.html", previews=_previews(type_form.given(), request.form.get("data", ""))
    )


def _get(type_id: int) -> NotificationType:
    if type_id > _MAX_ID:
        raise NotFound()
    return custom_types.get(type_id)


def _previews(given: Mapping[str, Any], typed: str) -> list[tuple[str, Any, str | None]]:
    """For each locale what a person would read, or why there is nothing to read."""
    try:
        data = json.loads(typed) if typed.strip() else {}
    except (ValueError, RecursionError):
        return [("", None, pages.t("console_notifications.type.bad_data"))]
    if not isinstance(data, dict):
        return [("", None, pages.t("console_notifications.type.bad_data"))]
    previews: list[tuple[str, Any, str | None]] = []
    for locale in i18n.LOCALES:
        try:
            previews.append((locale, custom_types.preview(given, data, locale), None))
        except Invalid as error:
            return [("", None, next(iter(form_errors.by_field(error, type_form.FORM).values())))]
    return previews


def _editor(
    given: Mapping[str, Any],
    *,
    known: NotificationType | None = None,
    faults: dict[str, str] | None = None,
    status: int = 200,
) -> Response:
    sample = request.form.get("data") or json.dumps(EXAMPLE, indent=2)
    return _render(
        "notifications/type.html",
        status,
        given=given,
        known=known,
        faults=faults or {},
        sample=sample,
        previews=_previews(given, sample) if given.get("templates") else [],
    )


def _render(template: str, status: int = 200, **values: Any) -> Response:
    return pages.render(
        template,
        "notifications",
        pages.t("console.nav.notifications"),
        status,
        tab="types",
        may_write=actor().reaches("operator"),
        **values,
    )
