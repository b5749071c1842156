"""Campaigns: the list, and one of them with its figures, its texts and everybody in it."""

from __future__ import annotations

from typing import Any, Final, get_args

from flask import Response, request

from backend.core.errors import AppError, Conflict, Forbidden, Invalid
from backend.http.console.campaigns import forms as campaign_forms
from backend.http.console.campaigns import shown
from backend.http.console.kit import form_errors, forms, pages
from backend.http.console.kit.guards import actor, page
from backend.http.schemas.campaigns import CampaignsQuery, SimulateIn
from backend.services.accounts import access
from backend.services.campaigns import figures, ledger, records, serializers, simulation, states, trials
from backend.services.campaigns.planner import Assumptions

bp = pages.blueprint("campaigns", __name__)

MAX_SIMULATED: Final = 100

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
        by_variant=figures.by_variant(campaign),
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


@bp.get("/console/campaigns/<int:campaign_id>/simulation")
@page("operator")
def simulate(campaign_id: int) -> Response:
    """What would happen from now on: each message with its moment, by the rates that the address names."""
    campaign = records.get(campaign_id)
    typed = {name: request.args.get(name, default) for name, default in (("reply_rate", "0"), ("found_rate", "1"))}
    values: dict[str, Any] = {"plan": None, "people": [], "more": False, "fault": None, "faults": {}}
    try:
        wanted = forms.checked(SimulateIn, {name: value.replace(",", ".") for name, value in typed.items()})
        rates = Assumptions(wanted.reply_rate, wanted.found_rate)
        plan = simulation.simulate(actor(), campaign_id, assumptions=rates)
        listed = plan["recipients"][:MAX_SIMULATED]
        values |= {"plan": plan, "people": shown.planned(listed), "more": plan["messages"] > len(listed)}
    except Invalid as error:
        values["faults"] = form_errors.by_field(error, campaign_forms.SIMULATION)
    except (Conflict, Forbidden) as error:
        values["fault"] = form_errors.message_of(error)
    title = pages.t("console_campaigns.simulation.title")
    return pages.render("campaigns/simulation.html", "campaigns", title, campaign=campaign, typed=typed, **values)


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
