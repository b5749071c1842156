"""Canned replies: texts for answers, of the workspace and of one's own."""

from __future__ import annotations

from typing import Any, Final

from flask import Response, request, url_for

from backend.core.errors import Conflict, Invalid, TooLarge
from backend.http.console.inbox import commands, queries
from backend.http.console.inbox.contents import t
from backend.http.console.kit import form_errors, pages
from backend.http.console.kit.guards import attribution, page

bp = pages.blueprint("inbox_canned", __name__)

_EXPECTED: Final = (Invalid, Conflict, TooLarge)
_FORM: Final = form_errors.Form(
    "canned_reply", labels={name: f"console_inbox.canned.{name}" for name in ("name", "shortcut", "text")}
)


@bp.get("/console/inbox/canned")
@page()
def listing() -> Response:
    """All that one may use."""
    replies = queries.all_canned(attribution())
    return pages.render("inbox/canned.html", "inbox", t("canned.title"), replies=replies)


@bp.get("/console/inbox/canned/new")
@page("operator")
def new() -> Response:
    """An empty form."""
    return _form({})


@bp.post("/console/inbox/canned")
@page("operator")
def create() -> Response:
    """Adds one."""
    try:
        commands.save_canned(None, _typed())
    except _EXPECTED as error:
        return _form(_typed(), error=error)
    return pages.redirect_with_toast(url_for(".listing"), t("canned.saved"))


@bp.get("/console/inbox/canned/<int:canned_id>")
@page("operator")
def change_form(canned_id: int) -> Response:
    """The form with what stands there."""
    return _form(queries.canned_reply(attribution(), canned_id), canned_id=canned_id)


@bp.post("/console/inbox/canned/<int:canned_id>")
@page("operator")
def change(canned_id: int) -> Response:
    """Changes one."""
    try:
        commands.save_canned(canned_id, _typed())
    except _EXPECTED as error:
        return _form(_typed(), canned_id=canned_id, error=error)
    return pages.redirect_with_toast(url_for(".listing"), t("canned.saved"))


@bp.post("/console/inbox/canned/<int:canned_id>/delete")
@page("operator")
def delete(canned_id: int) -> Response:
    """Deletes one."""
    commands.delete_canned(canned_id)
    return pages.redirect_with_toast(url_for(".listing"), t("canned.deleted"))


def _typed() -> dict[str, Any]:
    fields: dict[str, Any] = {name: request.form.get(name, "").strip() for name in ("name", "shortcut", "text")}
    return fields | {"mine": "mine" in request.form}


def _form(values: dict[str, Any], *, canned_id: int | None = None, error: Any = None) -> Response:
    faults = form_errors.by_field(error, _FORM) if error is not None else {}
    return pages.render(
        "inbox/canned_form.html",
        "inbox",
        t("canned.change" if canned_id else "canned.new"),
        error.status if error is not None else 200,
        values=values,
        canned_id=canned_id,
        faults=faults,
        variables=queries.VARIABLES,
        width="text",
    )
