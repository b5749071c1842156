"""Tags: what contacts are marked with, how many have each, renaming and removing one."""

from __future__ import annotations

from flask import Response, request, url_for

from backend.core.errors import AppError, Conflict, Invalid
from backend.http.console.contacts import forms as contact_forms
from backend.http.console.kit import form_errors, forms, pages
from backend.http.console.kit.guards import attribution, page
from backend.http.schemas.tags import TagIn
from backend.services.contacts import tags

bp = pages.blueprint("contact_tags", __name__)


@bp.get("/console/contacts/tags")
@page()
def listing() -> Response:
    """The tags, the oldest first."""
    return _page()


@bp.post("/console/contacts/tags")
@page("operator")
def create() -> Response:
    """Adds a tag; the toast takes it back."""
    given = forms.values("name")
    try:
        tag = tags.create(attribution(), forms.checked(TagIn, given).name)
    except (Invalid, Conflict) as error:
        return _page(given, error)
    return pages.redirect_with_toast(
        url_for(".listing"),
        pages.t("console_contacts.said.tag_added", name=tag.name),
        undo=url_for(".remove", tag_id=tag.id),
    )


@bp.get("/console/contacts/tags/<int:tag_id>")
@page("operator")
def change_form(tag_id: int) -> Response:
    """The form for another name."""
    return _form(tag_id, tags.get(tag_id).name)


@bp.post("/console/contacts/tags/<int:tag_id>")
@page("operator")
def change(tag_id: int) -> Response:
    """Renames a tag."""
    given = forms.values("name")
    try:
        tag = tags.rename(attribution(), tag_id, forms.checked(TagIn, given).name)
    except (Invalid, Conflict) as error:
        return _form(tag_id, given.get("name", ""), error)
    return pages.redirect_with_toast(url_for(".listing"), pages.t("console_contacts.said.tag_saved", name=tag.name))


@bp.post("/console/contacts/tags/<int:tag_id>/remove")
@page("operator")
def remove(tag_id: int) -> Response:
    """Removes a tag from all contacts that have it."""
    name = tags.get(tag_id).name
    tags.remove(attribution(), tag_id)
    return pages.redirect_with_toast(url_for(".listing"), pages.t("console_contacts.said.tag_removed", name=name))


def _page(typed: dict[str, str] | None = None, error: AppError | None = None) -> Response:
    listed, following = tags.listing(cursor=request.args.get("cursor"))
    return pages.render(
        "contacts/tags.html",
        "contacts",
        pages.t("console.nav.contacts"),
        error.status if error else 200,
        tab="tags",
        rows=listed,
        counts=tags.counts(listed),
        following=following,
        typed=typed or {},
        faults=form_errors.by_field(error, contact_forms.TAG) if error else {},
    )


def _form(tag_id: int, name: str, error: AppError | None = None) -> Response:
    tag = tags.get(tag_id)
    return pages.render(
        "contacts/tag.html",
        "contacts",
        tag.name,
        error.status if error else 200,
        tag=tag,
        count=tags.counts([tag]).get(tag.id, 0),
        name=name,
        faults=form_errors.by_field(error, contact_forms.TAG) if error else {},
        width="text",
    )
