"""What Meta calls on behalf of people: delete what is kept of me, I no longer allow the application."""

from __future__ import annotations

from typing import Any

from apiflask import APIBlueprint

from backend.http.guards import public
from backend.http.schemas.integration_setup import DeletionOut, RequestTaken, SignedRequestForm
from backend.services.channel_setup import people_requests

bp = APIBlueprint("meta", __name__, url_prefix="/meta", tag="Integrations")

_REFUSALS = {400: "`bad_signed_request`", 401: "`wrong_signature`"}


@bp.post("/data-deletion")
@bp.post("/data-deletion/<int:integration_id>", endpoint="delete_data_of")
@public("Meta signs the request", max_body=16 * 1024)
@bp.input(SignedRequestForm, location="form")
@bp.output(DeletionOut)
@bp.doc(responses=_REFUSALS)
def delete_data(form_data: SignedRequestForm, integration_id: int | None = None) -> dict[str, Any]:
    """Delete what is kept of a person

    Called by Meta. The same request again is answered the same.
    """
    signed = people_requests.read(form_data.signed_request, people_requests.secrets_for(integration_id))
    row = people_requests.delete_data(signed, integration_id)
    return {"url": people_requests.status_address(row), "confirmation_code": row.code}


@bp.post("/deauthorize")
@bp.post("/deauthorize/<int:integration_id>", endpoint="deauthorize_of")
@public("Meta signs the request", max_body=16 * 1024)
@bp.input(SignedRequestForm, location="form")
@bp.output(RequestTaken)
@bp.doc(responses=_REFUSALS)
def deauthorize(form_data: SignedRequestForm, integration_id: int | None = None) -> dict[str, Any]:
    """Take back an application's permission

    Called by Meta. The integrations whose token that person gave are checked at once.
    """
    signed = people_requests.read(form_data.signed_request, people_requests.secrets_for(integration_id))
    people_requests.deauthorize(signed)
    return {"ok": True}
