"""Persons' own accounts: how much one may still send."""

from __future__ import annotations

from typing import Any

from apiflask import APIBlueprint

from backend.http import guards
from backend.http.guards import access
from backend.http.schemas.accounts import PaceOut
from backend.services.accounts import integrations

bp = APIBlueprint("accounts", __name__, url_prefix="/api/accounts", tag="Integrations")


@bp.get("/<int:account_id>/pace")
@access("operator")
@bp.output(PaceOut)
def pace(account_id: int) -> dict[str, Any]:
    """Show how much an account may still send

    Counted over the instance, by the person's account: messages of campaigns that Telegram accepted, or whose outcome
    is unknown.
    """
    return integrations.pace_of(guards.actor(), account_id)
