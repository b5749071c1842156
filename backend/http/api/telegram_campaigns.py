"""The calls by which existing clients start a Telegram campaign and follow it."""

from __future__ import annotations

from typing import Any

from apiflask import APIBlueprint

from backend.http import guards
from backend.http.guards import access
from backend.http.schemas.telegram_campaigns import (
    CampaignStartIn,
    CampaignStartOut,
    CampaignStatusOut,
    CampaignStatusQuery,
    TelegramMessages,
    TelegramMessagesQuery,
)
from backend.services.campaigns import compatibility

bp = APIBlueprint("telegram_campaigns", __name__, url_prefix="/api/telegram", tag="Campaigns")


@bp.post("/campaign/start")
@access("operator", idempotent=True)
@bp.input(CampaignStartIn)
@bp.output(CampaignStartOut, status_code=202)
def start(json_data: CampaignStartIn) -> dict[str, Any]:
    """Start a campaign to contacts at once

    Who may not be written to is in `skipped`. Nobody left is 422 with the commonest reason.
    """
    return compatibility.start(guards.actor(), json_data.model_dump())


@bp.get("/campaign/status")
@access()
@bp.input(CampaignStatusQuery, location="query")
@bp.output(CampaignStatusOut)
def status(query_data: CampaignStatusQuery) -> dict[str, Any]:
    """Show how much the account has sent and may send

    Several accounts are 409 `account_ambiguous`; `account_id` chooses.
    """
    return compatibility.status(guards.actor(), query_data.account_id)


@bp.get("/messages")
@access()
@bp.input(TelegramMessagesQuery, location="query")
@bp.output(TelegramMessages)
def messages(query_data: TelegramMessagesQuery) -> dict[str, Any]:
    """List the newest campaign messages of the caller's account; admins see all"""
    return {"messages": compatibility.messages(guards.actor(), limit=query_data.limit)}
