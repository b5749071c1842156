"""Imports: a file is uploaded, its columns are mapped, what a run would do is shown, it runs, it can be undone."""

from __future__ import annotations

from typing import Any, BinaryIO, Final, cast

from flask import Response, request, send_file, url_for

from backend.core.errors import AppError, Conflict, Invalid, TooLarge
from backend.http.console.contacts import forms as contact_forms
from backend.http.console.contacts import import_forms, import_issues
from backend.http.console.kit import form_errors, pages
from backend.http.console.kit.guards import attribution, page
from backend.models import ContactImport
from backend.services.contacts import custom_fields
from backend.services.contacts import settings as contact_settings
from backend.services.contacts.imports import administration, encodings

bp = pages.blueprint("contact_imports", __name__)

_FORM: Final = 64 * 1024
"""Room for what multipart puts around the file."""
_EXPECTED = (Invalid, Conflict, TooLarge)
STAGES: Final = ("file", "columns", "check", "import", "done")
_STAGE_OF: Final = {
    "reading": "columns",
    "mapping": "columns",
    "checked": "check",
    "running": "import",
    "done": "done",
    "failed": "done",
    "canceled": "done",
    "undone": "done",
}


@bp.get("/console/contacts/imports")
@page()
def listing() -> Response:
    """The imports, the newest first."""
    listed, following = administration.listing(cursor=request.args.get("cursor"))
    return pages.render(
        "contacts/imports.html",
        "contacts",
        pages.t("console.nav.contacts"),
        tab="imports",
        rows=listed,
        following=following,
    )


@bp.get("/console/contacts/imports/new")
@page("operator")
def new() -> Response:
    """Asks for a file."""
    return _upload_form()


@bp.post("/console/contacts/imports")
@page("operator", max_body=administration.MAX_BYTES + _FORM)
def create() -> Response:
    """Begins an import of the file; it is read and checked at once, and stores no contact."""
    file = request.files.get("file")
    try:
        if file is None or not file.filename:
            raise Invalid.of("file", "missing", "Choose a file.")
        stream = cast(BinaryIO, file.stream)
        job = administration.create(attribution(), filename=file.filename, stream=stream)
    except _EXPECTED as error:
        return _upload_form(error)
    return pages.redirect_with_toast(
        url_for(".show", import_id=job.id), pages.t("console_contact_imports.said.taken", name=job.filename)
    )


@bp.get("/console/contacts/imports/<int:import_id>")
@page()
def show(import_id: int) -> Response:
    """An import where it stands; `?columns=1` goes back from the check to the columns."""
    return _page(administration.get(import_id), columns=request.args.get("columns") == "1")


@bp.post("/console/contacts/imports/<int:import_id>/columns")
@page("operator")
def change(import_id: int) -> Response:
    """What each column holds, and how rows meet the contacts; the file is checked again."""
    job = administration.get(import_id)
    try:
        administration.change(attribution(), import_id, import_forms.columns(job))
    except _EXPECTED as error:
        return _page(job, columns=True, error=error, form=import_forms.COLUMNS)
    return pages.redirect_with_toast(
        url_for(".show", import_id=import_id), pages.t("console_contact_imports.said.checking")
    )


@bp.post("/console/contacts/imports/<int:import_id>/reading")
@page("operator")
def reread(import_id: int) -> Response:
    """How the file is read: encoding, delimiter, line of the header. The columns are found out again."""
    job = administration.get(import_id)
    try:
        administration.change(attribution(), import_id, import_forms.reading())
    except _EXPECTED as error:
        return _page(job, columns=True, error=error, form=import_forms.READING)
    return pages.redirect_with_toast(
        url_for(".show", import_id=import_id, columns=1), pages.t("console_contact_imports.said.reading")
    )


@bp.post("/console/contacts/imports/<int:import_id>/run")
@page("operator")
def run(import_id: int) -> Response:
    """Carries it out."""
    return _act(import_id, lambda: administration.run(attribution(), import_id), "running")


@bp.post("/console/contacts/imports/<int:import_id>/cancel")
@page("operator")
def cancel(import_id: int) -> Response:
    """Stops it; what is stored stays, and can be undone."""
    return _act(import_id, lambda: administration.cancel(attribution(), import_id), "stopping")


@bp.post("/console/contacts/imports/<int:import_id>/undo")
@page("operator")
def undo(import_id: int) -> Response:
    """Takes it back."""
    return _act(import_id, lambda: administration.undo(attribution(), import_id), "undoing")


@bp.get("/console/contacts/imports/<int:import_id>/issues")
@page()
def issues(import_id: int) -> Response:
    """What was found wrong, line by line, as CSV."""
    job = administration.get(import_id)
    file = import_issues.as_csv(job.report or {})
    response = send_file(
        file, mimetype="text/csv", as_attachment=True, download_name=f"import-{job.id}.csv", etag=False
    )
    response.headers["X-Content-Type-Options"] = "nosniff"
    return pages.protect(response)


def _act(import_id: int, act: Any, words: str) -> Response:
    try:
        act()
    except Conflict as error:
        return _page(administration.get(import_id), error=error)
    return pages.redirect_with_toast(
        url_for(".show", import_id=import_id), pages.t(f"console_contact_imports.said.{words}")
    )


def _upload_form(error: AppError | None = None) -> Response:
    return pages.render(
        "contacts/import_file.html",
        "contacts",
        pages.t("console_contact_imports.title"),
        error.status if error else 200,
        faults=form_errors.by_field(error, import_forms.FILE) if error else {},
        stages=_stages("file", None),
        most=administration.MAX_BYTES // (1024 * 1024),
        width="text",
    )


def _page(
    job: ContactImport,
    *,
    columns: bool = False,
    error: AppError | None = None,
    form: form_errors.Form = form_errors.PLAIN,
) -> Response:
    shown = "mapping" if columns and job.state == "checked" else job.state
    own = list(custom_fields.by_key().values())
    report = job.report or {}
    errors, warnings = (
        import_issues.grouped(report.get("errors", [])),
        import_issues.grouped(report.get("warnings", [])),
    )
    return pages.render(
        "contacts/import.html",
        "contacts",
        pages.t("console_contact_imports.title"),
        error.status if error else 200,
        job=job,
        shown=shown,
        stages=_stages(_STAGE_OF[shown], job),
        columns=list(enumerate(job.columns)),
        first_line=import_forms.first_line(job),
        options=import_forms.options(own),
        report=report,
        errors=errors,
        warnings=warnings,
        comes_in=sum(report.get(name, 0) for name in ("create", "update")),
        workspace_region=contact_settings.get().region,
        encodings=encodings.NAMES,
        delimiters=import_forms.DELIMITERS,
        typed=contact_forms.typed() if error else {},
        faults=form_errors.by_field(error, form) if error else {},
        here=url_for(".show", import_id=job.id, columns=1 if columns else None),
    )


def _stages(present: str, job: ContactImport | None) -> list[tuple[str, str, str | None]]:
    """The steps: those before the present one are done, and a check leads back to its columns."""
    at = STAGES.index(present)
    failed = job is not None and job.state == "failed"
    steps: list[tuple[str, str, str | None]] = []
    for index, name in enumerate(STAGES):
        state = "ok" if index < at or (present == "done" and index == at) else ("now" if index == at else "todo")
        if present == "done" and index == at and job is not None and job.state != "done":
            state = "bad" if failed else "warn"
        address = None
        if name == "columns" and job is not None and job.state == "checked" and index < at:
            address = url_for(".show", import_id=job.id, columns=1)
        steps.append((pages.t(f"console_contact_imports.stage.{name}"), state, address))
    return steps
