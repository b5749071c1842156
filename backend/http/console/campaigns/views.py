"""Campaigns: the list, and one of them with its figures, its texts and everybody in it."""

from __future__ import annotations

from typing import Any, Final, get_args

from flask import Response, request

from backend.core.errors import AppError
from backend.http.console.campaigns import shown
from backend.http.console.kit import form_errors, pages
from backend.http.console.kit.guards import page
from backend.http.schemas.campaigns import CampaignsQuery
from backend.services.accounts import access
from backend.services.campaigns import figures, ledger, records, serializers, states, trials

bp = pages.blueprint("campaigns", __name__)

STATES: Final[tuple[str, ...]] = get_args(get_args(CampaignsQuery.model_fields["state"].annotation)[0])


@bp.get("/console/campaigns")
@page()
def listing() -> Response:
    """The campaigns, the newest first, by the state that the address asks for."""
    asked = request.args.get("state", "")
    archived = asked == "archived"
    state = asked if asked in STATES else None
    listed, following = records.listing(state=state, archived=archived, cursor=request.args.get("cursor"))
    return pages.render(
        "campaigns/listing.html",
        "campaigns",
        pages.t("console.nav.campaigns"),
        rows=shown.rows(serializers.describe(listed)),
        following=following,
        tab="archived" if archived else state or "",
        states=STATES,
    )


@bp.get("/console/campaigns/<int:campaign_id>")
@page()
def show(campaign_id: int) -> Response:
    """One campaign: its state and why, its figures, its texts, and the people that the address asks for."""
    campaign = records.get(campaign_id)
    described = serializers.describe_one(campaign)
    wanted = _wanted()
    people, following = ledger.page(
        campaign,
        pages.locale(),
        state=wanted["state"],
        reason=wanted["reason"],
        cursor=request.args.get("cursor"),
    )
    account = None if campaign.sender_id is None else shown.account_name(access.find(campaign.sender_id))
    return pages.render(
        "campaigns/campaign.html",
        "campaigns",
        campaign.name,
        campaign=described | shown.tally(described),
        account=account,
        figures=figures.of(campaign),
        hold=shown.hold(campaign),
        audience=shown.audience(campaign),
        window=shown.window(campaign.window),
        people=[shown.recipient(row) for row in people],
        following=following,
        wanted=wanted,
        recipient_states=states.RECIPIENT_STATES,
        reasons=sorted((states.reason_text(reason, pages.locale()), reason) for reason in states.REASONS),
    )


@bp.get("/console/campaigns/<int:campaign_id>/recipients")
@page()
def download(campaign_id: int) -> Response:
    """Everybody of the campaign as CSV."""
    text = "".join(ledger.csv_lines(records.get(campaign_id), pages.locale()))
    response = Response("\ufeff" + text, mimetype="text/csv")
    response.headers["Content-Disposition"] = "attachment; filename=recipients.csv"
    response.headers["X-Content-Type-Options"] = "nosniff"
    return pages.protect(response)


@bp.get("/console/campaigns/<int:campaign_id>/preview")
@page()
def preview(campaign_id: int) -> Response:
    """A message as the person with most missing fields gets it: a part of the page."""
    asked = request.args.get("step", "1")
    step = int(asked) if asked.isascii() and asked.isdigit() and len(asked) == 1 else 1
    values: dict[str, Any] = {"step": max(1, step), "preview": None, "fault": None}
    try:
        values["preview"] = trials.preview(campaign_id, contact_id=None, step=values["step"])
    except AppError as error:
        values["fault"] = form_errors.message_of(error)
    return pages.fragment("campaigns/preview.html", **values)


def _wanted() -> dict[str, str | None]:
    """The filters of the address; one that means nothing is left out."""
    state, reason = request.args.get("state"), request.args.get("reason")
    return {
        "state": state if state in states.RECIPIENT_STATES else None,
        "reason": reason if reason in states.REASONS else None,
    }
