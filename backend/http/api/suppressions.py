"""Suppressions: who must not be written to, under which identifiers, and lifting one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, BinaryIO, cast

from apiflask import APIBlueprint

from backend.http import guards
from backend.http.guards import access
from backend.http.schemas.suppressions import (
    LiftIn,
    SuppressionAdded,
    SuppressionFile,
    SuppressionImport,
    SuppressionIn,
    SuppressionLifted,
    SuppressionOut,
    Suppressions,
    SuppressionsQuery,
)
from backend.models import Suppression
from backend.services.contacts import records, suppression_import, suppressions

bp = APIBlueprint("suppressions", __name__, url_prefix="/api/suppressions", tag="Contacts")

_FORM = 64 * 1024
"""Room for what multipart puts around the file."""


@bp.get("")
@access()
@bp.input(SuppressionsQuery, location="query")
@bp.output(Suppressions)
def listing(query_data: SuppressionsQuery) -> dict[str, Any]:
    """List suppressions, the newest first"""
    if query_data.contact_id is not None:
        records.get(query_data.contact_id)
    listed, following = suppressions.listing(
        kind=query_data.kind, contact_id=query_data.contact_id, cursor=query_data.cursor, limit=query_data.limit
    )
    return {"suppressions": _shown(listed), "next_cursor": following}


@bp.post("")
@access("operator", idempotent=True)
@bp.input(SuppressionIn)
@bp.output(SuppressionAdded, status_code=201)
def create(json_data: SuppressionIn) -> dict[str, int]:
    """Suppress a person

    A contact is suppressed under everything they have, and under what is found later.
    """
    label = guards.attribution()
    if json_data.contact_id is not None:
        contact = records.get(json_data.contact_id)
        return {"added": suppressions.suppress_contact(label, contact.id, code=json_data.code, source="api")}
    return {
        "added": suppressions.suppress_value(
            label, json_data.kind or "", json_data.value or "", json_data.region, code=json_data.code
        )
    }


@bp.post("/import")
@access("operator", idempotent=True, max_body=suppression_import.MAX_BYTES + _FORM)
@bp.input(SuppressionFile, location="form_and_files")
@bp.output(SuppressionImport)
def load(form_and_files_data: SuppressionFile) -> suppression_import.Outcome:
    """Suppress everybody of a list

    The list is hashed as it is read and not stored.
    """
    given = form_and_files_data
    stream = cast(BinaryIO, given.file.stream)
    return suppression_import.load(guards.attribution(), stream, kind=given.kind, region=given.region, code=given.code)


@bp.get("/<int:suppression_id>")
@access()
@bp.output(SuppressionOut)
def show(suppression_id: int) -> dict[str, Any]:
    """Show a suppression"""
    return _shown([suppressions.get(suppression_id)])[0]


@bp.post("/<int:suppression_id>/lift")
@access("admin")
@bp.input(LiftIn)
@bp.output(SuppressionLifted)
def lift(suppression_id: int, json_data: LiftIn) -> dict[str, int]:
    """Lift a suppression, with all of the person's

    Only where the person asked for it.
    """
    return {"lifted": suppressions.lift(guards.attribution(), suppression_id, json_data.reason)}


def _shown(rows: Sequence[Suppression]) -> list[dict[str, Any]]:
    holders = suppressions.contacts_of(rows)
    own = ("id", "kind", "code", "source", "created_by", "created_at")
    return [{name: getattr(row, name) for name in own} | {"contact_id": holders.get(row.id)} for row in rows]
