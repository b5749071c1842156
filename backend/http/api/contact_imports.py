"""Imports of contacts: begun by a file, checked without storing anything, run, canceled, undone."""

from __future__ import annotations

from typing import Any, BinaryIO, cast

from apiflask import APIBlueprint

from backend.http import guards
from backend.http.guards import access
from backend.http.schemas.base import PageQuery
from backend.http.schemas.contact_imports import (
    ContactImportChange,
    ContactImportIn,
    ContactImportOut,
    ContactImports,
)
from backend.models import ContactImport
from backend.services.contacts.imports import administration

bp = APIBlueprint("contact_imports", __name__, url_prefix="/api/contacts/imports", tag="Contacts")

_FORM = 64 * 1024
"""Room for what multipart puts around the file."""
_OWN = (
    "id", "state", "task", "error", "filename", "size", "format", "encoding", "delimiter", "header_row", "region",
    "mode", "update_by", "overwrite", "tags", "report", "created_at", "run_at", "ended_at", "undo_until",
)  # fmt: skip
_LISTED = ("id", "state", "filename", "size", "created_at", "ended_at", "undo_until")


@bp.get("")
@access()
@bp.input(PageQuery, location="query")
@bp.output(ContactImports)
def listing(query_data: PageQuery) -> dict[str, Any]:
    """List imports, the newest first"""
    listed, following = administration.listing(cursor=query_data.cursor, limit=query_data.limit)
    shown = [
        {name: getattr(job, name) for name in _LISTED}
        | {"progress": _progress(job), "counts": administration.counts_of(job)}
        for job in listed
    ]
    return {"imports": shown, "next_cursor": following}


@bp.post("")
@access("operator", idempotent=True, max_body=administration.MAX_BYTES + _FORM)
@bp.input(ContactImportIn, location="form_and_files")
@bp.output(ContactImportOut, status_code=202)
def create(form_and_files_data: ContactImportIn) -> dict[str, Any]:
    """Begin an import

    It is read and checked at once, and stores no contact before it is run. JSON with a `file_id` is taken as well.
    """
    by, given = guards.attribution(), form_and_files_data
    if given.file is None:
        return _shown(administration.create(by, file_id=given.file_id))
    stream = cast(BinaryIO, given.file.stream)
    return _shown(administration.create(by, filename=given.file.filename, stream=stream))


@bp.get("/<int:import_id>")
@access()
@bp.output(ContactImportOut)
def show(import_id: int) -> dict[str, Any]:
    """Show an import: its columns, how far it is, what it found"""
    return _shown(administration.get(import_id))


@bp.patch("/<int:import_id>")
@access("operator")
@bp.input(ContactImportChange)
@bp.output(ContactImportOut)
def change(import_id: int, json_data: ContactImportChange) -> dict[str, Any]:
    """Change how the file is read, and check it again"""
    changes = json_data.model_dump(exclude_unset=True)
    return _shown(administration.change(guards.attribution(), import_id, changes))


@bp.post("/<int:import_id>/run")
@access("operator")
@bp.output(ContactImportOut, status_code=202)
def run(import_id: int) -> dict[str, Any]:
    """Carry a checked import out"""
    return _shown(administration.run(guards.attribution(), import_id))


@bp.post("/<int:import_id>/cancel")
@access("operator")
@bp.output(ContactImportOut, status_code=202)
def cancel(import_id: int) -> dict[str, Any]:
    """Stop an import

    What it has stored stays, and can be undone.
    """
    return _shown(administration.cancel(guards.attribution(), import_id))


@bp.post("/<int:import_id>/undo")
@access("operator")
@bp.output(ContactImportOut, status_code=202)
def undo(import_id: int) -> dict[str, Any]:
    """Undo an import, within 30 days

    Contacts, points, fields and tags become what they were, where nobody has changed them since. Suppressions stay.
    """
    return _shown(administration.undo(guards.attribution(), import_id))


def _shown(job: ContactImport) -> dict[str, Any]:
    columns = [column | {"field": job.mapping.get(column["name"])} for column in job.columns]
    return {name: getattr(job, name) for name in _OWN} | {"columns": columns, "progress": _progress(job)}


def _progress(job: ContactImport) -> dict[str, Any]:
    return {"rows_done": job.rows_done, "rows_total": job.rows_total}
