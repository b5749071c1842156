"""The form of a campaign: a draft is made with it, and one that runs is changed."""

from __future__ import annotations

from typing import Any, Final

from flask import Response, request, url_for

from backend.core.errors import AppError, Conflict, Forbidden, Invalid, NotFound
from backend.http.console.campaigns import forms as campaign_forms
from backend.http.console.campaigns import shown, variants_form
from backend.http.console.kit import form_errors, forms, pages
from backend.http.console.kit.guards import actor, page
from backend.http.schemas.campaigns import CampaignChange, CampaignIn
from backend.models import Campaign
from backend.services import accounts
from backend.services.campaigns import records, states, steps
from backend.services.contacts import custom_fields, segments, tags

bp = pages.blueprint("campaign_forms", __name__)

_EXPECTED = (Invalid, Conflict, Forbidden, NotFound)
_OFFERED: Final = 200
"""So many tags and segments are offered by name."""
PLACEHOLDERS: Final = ("first_name", "last_name", "company", "title", "email", "unsubscribe_link")


@bp.get("/console/campaigns/new")
@page("operator")
def new() -> Response:
    """An empty form, with working hours as its window; the address may name tags or contacts."""
    typed: dict[str, Any] = {"day": ["0", "1", "2", "3", "4"], "from": "09:00", "to": "18:00"}
    typed |= {"tags": request.args.getlist("tag"), "contact_ids": request.args.get("contact_ids", "")}
    return _form(typed | {"segment_id": request.args.get("segment_id", "")})


@bp.post("/console/campaigns")
@page("operator")
def create() -> Response:
    """Makes a draft."""
    try:
        wanted = forms.checked(CampaignIn, campaign_forms.given((), is_draft=True))
        campaign = records.create(actor(), wanted.model_dump(by_alias=True))
    except _EXPECTED as error:
        return _form(campaign_forms.typed(), error=error)
    return pages.redirect_with_toast(
        url_for("console_campaigns.show", campaign_id=campaign.id), pages.t("console_campaigns.said.made")
    )


@bp.get("/console/campaigns/<int:campaign_id>/change")
@page("operator")
def change_form(campaign_id: int) -> Response:
    """The form with what is known."""
    campaign = records.get(campaign_id)
    return _form(campaign_forms.of_campaign(campaign, steps.of(campaign_id)), campaign)


@bp.post("/console/campaigns/<int:campaign_id>/change")
@page("operator")
def change(campaign_id: int) -> Response:
    """Changes a campaign, unless somebody else did since the form was opened."""
    campaign = records.get(campaign_id)
    try:
        is_draft, is_scheduled = campaign.state == states.DRAFT, campaign.state == states.SCHEDULED
        given = campaign_forms.given(
            steps.of(campaign_id),
            is_draft=is_draft,
            is_scheduled=is_scheduled,
            contact_filter=campaign.audience.get("filter"),
        )
        wanted = forms.checked(CampaignChange, given | {"version": request.form.get("version", "")})
        changes = wanted.model_dump(exclude_unset=True, by_alias=True)
        records.change(actor(), campaign_id, changes.pop("version"), changes)
    except _EXPECTED as error:
        return _form(campaign_forms.typed(), campaign, error)
    return pages.redirect_with_toast(
        url_for("console_campaigns.show", campaign_id=campaign_id), pages.t("console_campaigns.said.saved")
    )


def _form(typed: dict[str, Any], campaign: Campaign | None = None, error: AppError | None = None) -> Response:
    usable = shown.account_names(accounts.usable_for(actor()))
    offered = [(str(account_id), name) for account_id, name in usable.items()]
    own = [f"fields.{key}" for key in custom_fields.by_key()]
    chosen = [] if campaign is None else campaign.audience.get("tags", [])
    return pages.render(
        "campaigns/form.html",
        "campaigns",
        pages.t("console_campaigns.change.title" if campaign else "console_campaigns.new.title"),
        error.status if error else 200,
        campaign=campaign,
        version=request.form.get("version") or (campaign.version if campaign else None),
        is_draft=campaign is None or campaign.state == states.DRAFT,
        is_scheduled=campaign is not None and campaign.state == states.SCHEDULED,
        typed=typed,
        faults=form_errors.by_field(error, campaign_forms.CAMPAIGN) if error else {},
        accounts=offered,
        tags=list(dict.fromkeys([*chosen, *(tag.name for tag in tags.listing(limit=_OFFERED)[0])])),
        segments=[(str(segment.id), segment.name) for segment in segments.listing(limit=_OFFERED)[0]],
        purposes=campaign_forms.PURPOSES,
        steps=campaign_forms.STEPS,
        variants=variants_form.NUMBERS,
        days=shown.day_names(),
        placeholders=[*PLACEHOLDERS, *own],
        zone=pages.zone().key,
        width="text",
    )
