"""What is done with a campaign: checked, launched, paused, ended, put away; and with the people in it."""

from __future__ import annotations

from datetime import timedelta

from flask import Response, request, url_for

from backend.core import clock
from backend.core.errors import AppError, Conflict, Forbidden, Invalid, NotFound
from backend.http.console.campaigns import forms as campaign_forms
from backend.http.console.campaigns import shown
from backend.http.console.kit import form_errors, forms, pages
from backend.http.console.kit.guards import actor, attribution, page
from backend.http.schemas.campaigns import BasisIn, RecipientResolveIn
from backend.models import Campaign
from backend.services.campaigns import by_bot, ledger, lifecycle, preflight, records, trials
from backend.services.campaigns.lifecycle import PreflightStale

bp = pages.blueprint("campaign_acts", __name__)

_EXPECTED = (Invalid, Conflict, Forbidden, NotFound)


@bp.post("/console/campaigns/<int:campaign_id>/check")
@page("operator")
def check(campaign_id: int) -> Response:
    """Checks a campaign as it stands, and leads to what came of it."""
    records.get(campaign_id)
    try:
        new_check = preflight.make(actor(), campaign_id)
    except _EXPECTED as error:
        return _back(campaign_id, form_errors.message_of(error))
    return pages.redirect_with_toast(
        url_for(".show_check", campaign_id=campaign_id, preflight_id=new_check.id),
        pages.t("console_campaigns.said.checked"),
    )


@bp.get("/console/campaigns/<int:campaign_id>/check/<int:preflight_id>")
@page("operator")
def show_check(campaign_id: int, preflight_id: int) -> Response:
    """What a launch would do, and the launch."""
    return _check(records.get(campaign_id), preflight_id)


@bp.post("/console/campaigns/<int:campaign_id>/check/<int:preflight_id>/basis")
@page("operator")
def give_basis(campaign_id: int, preflight_id: int) -> Response:
    """Says why people are written to who gave no consent, or that they are left out; then checks again."""
    campaign = records.get(campaign_id)
    try:
        if request.form.get("basis"):
            given = forms.checked(BasisIn, forms.values("basis") | {"note": request.form.get("note", "").strip()})
            basis = given.model_dump()
        else:
            basis = None
        records.change(actor(), campaign_id, campaign.version, {"lawful_basis": basis})
        new_check = preflight.make(actor(), campaign_id)
    except _EXPECTED as error:
        return _check(campaign, preflight_id, error)
    return pages.redirect_with_toast(
        url_for(".show_check", campaign_id=campaign_id, preflight_id=new_check.id),
        pages.t("console_campaigns.said.checked"),
    )


@bp.post("/console/campaigns/<int:campaign_id>/check/<int:preflight_id>/launch")
@page("operator")
def launch(campaign_id: int, preflight_id: int) -> Response:
    """Launches with the check that was read. Where it holds no more, the new one is shown."""
    try:
        lifecycle.launch(
            actor(), campaign_id, preflight_id, accept_end_date=request.form.get("accept_end_date") or None
        )
    except PreflightStale as error:
        newer_id = form_errors.detail_of(error, "preflight")["id"]
        return pages.redirect_with_toast(
            url_for(".show_check", campaign_id=campaign_id, preflight_id=newer_id), form_errors.message_of(error)
        )
    except _EXPECTED as error:
        return _check(records.get(campaign_id), preflight_id, error)
    return _back(campaign_id, pages.t("console_campaigns.said.launched"))


@bp.post("/console/campaigns/<int:campaign_id>/pause")
@page("operator")
def pause(campaign_id: int) -> Response:
    """Pauses; the toast lets it run on."""
    try:
        lifecycle.pause(attribution(), records.get(campaign_id, lock=True), "operator")
    except Conflict as error:
        return _back(campaign_id, form_errors.message_of(error))
    return pages.redirect_with_toast(
        _address(campaign_id),
        pages.t("console_campaigns.said.paused"),
        undo=url_for(".resume", campaign_id=campaign_id),
    )


@bp.post("/console/campaigns/<int:campaign_id>/resume")
@page("operator")
def resume(campaign_id: int) -> Response:
    """Lets a paused campaign run on."""
    try:
        lifecycle.resume(actor(), campaign_id)
    except _EXPECTED as error:
        return _back(campaign_id, form_errors.message_of(error))
    return _back(campaign_id, pages.t("console_campaigns.said.resumed"))


@bp.post("/console/campaigns/<int:campaign_id>/cancel")
@page("operator")
def cancel(campaign_id: int) -> Response:
    """Ends a campaign for good."""
    try:
        lifecycle.cancel(actor(), campaign_id)
    except Conflict as error:
        return _back(campaign_id, form_errors.message_of(error))
    return _back(campaign_id, pages.t("console_campaigns.said.canceled"))


@bp.post("/console/campaigns/<int:campaign_id>/archive")
@page("operator")
def archive(campaign_id: int) -> Response:
    """Puts a campaign out of sight; the toast brings it back."""
    try:
        lifecycle.archive(actor(), campaign_id, archived=True)
    except Conflict as error:
        return _back(campaign_id, form_errors.message_of(error))
    return pages.redirect_with_toast(
        url_for("console_campaigns.listing"),
        pages.t("console_campaigns.said.archived"),
        undo=url_for(".restore", campaign_id=campaign_id),
    )


@bp.post("/console/campaigns/<int:campaign_id>/restore")
@page("operator")
def restore(campaign_id: int) -> Response:
    """Brings an archived campaign back."""
    lifecycle.archive(actor(), campaign_id, archived=False)
    return _back(campaign_id, pages.t("console_campaigns.said.restored"))


@bp.post("/console/campaigns/<int:campaign_id>/test")
@page("operator")
def send_test(campaign_id: int) -> Response:
    """Sends a step to the account's own Saved Messages."""
    given = request.form.get("step", "")
    step = int(given) if given.isascii() and given.isdigit() and len(given) == 1 else 1
    try:
        trials.send_test(actor(), campaign_id, contact_id=None, step=step)
    except _EXPECTED as error:
        return _back(campaign_id, form_errors.message_of(error))
    return _back(campaign_id, pages.t("console_campaigns.said.tested"))


@bp.post("/console/campaigns/<int:campaign_id>/retry")
@page("operator")
def retry(campaign_id: int) -> Response:
    """Tries everybody again whom something kept out that may have changed."""
    try:
        retried = ledger.retry(actor(), campaign_id, None)
    except Conflict as error:
        return _back(campaign_id, form_errors.message_of(error))
    return _back(campaign_id, pages.t("console_campaigns.said.retried", count=retried))


@bp.post("/console/campaigns/<int:campaign_id>/recipients/<int:recipient_id>/resolve")
@page("operator")
def resolve(campaign_id: int, recipient_id: int) -> Response:
    """Says what became of a message whose outcome nobody knew."""
    given = forms.checked(RecipientResolveIn, forms.values("outcome"))
    try:
        ledger.resolve(actor(), campaign_id, recipient_id, given.outcome)
    except Conflict as error:
        return _back(campaign_id, form_errors.message_of(error))
    return _back(campaign_id, pages.t(f"console_campaigns.said.{given.outcome}"))


@bp.post("/console/campaigns/<int:campaign_id>/recipients/<int:recipient_id>/take-out")
@page("operator")
def take_out(campaign_id: int, recipient_id: int) -> Response:
    """Takes a person out of a campaign."""
    ledger.take_out(actor(), campaign_id, recipient_id)
    return _back(campaign_id, pages.t("console_campaigns.said.taken_out"))


@bp.post("/console/campaigns/<int:campaign_id>/recipients/<int:recipient_id>/by-bot")
@page("operator")
def reach_by_bot(campaign_id: int, recipient_id: int) -> Response:
    """Sends a person their next message by the bot instead."""
    try:
        by_bot.reach(actor(), campaign_id, recipient_id)
    except _EXPECTED as error:
        return _back(campaign_id, form_errors.message_of(error))
    return _back(campaign_id, pages.t("console_campaigns.said.by_bot"))


def _check(campaign: Campaign, preflight_id: int, error: AppError | None = None) -> Response:
    kept = preflight.find(campaign, preflight_id)
    if kept is None:
        raise NotFound("preflight_not_found", pages.t("console_campaigns.check.gone"))
    report = shown.check(kept.report)
    account = preflight.account_of(actor(), campaign)
    basis = campaign.lawful_basis or {}
    return pages.render(
        "campaigns/check.html",
        "campaigns",
        pages.t("console_campaigns.check.title"),
        error.status if error else 200,
        campaign=campaign,
        check=report,
        preflight=kept,
        is_over=kept.expires_at <= clock.now() or kept.version != campaign.version,
        account=shown.account_name(account),
        must_accept=report["ends"]["latest"] > clock.now() + timedelta(days=lifecycle.MAX_DAYS),
        bases=records.BASES,
        basis=request.form.get("basis", basis.get("basis", "")),
        note=request.form.get("note", basis.get("note", "")),
        faults=form_errors.by_field(error, campaign_forms.CHECK) if error else {},
        width="text",
    )


def _address(campaign_id: int) -> str:
    return url_for("console_campaigns.show", campaign_id=campaign_id)


def _back(campaign_id: int, text: str) -> Response:
    return pages.redirect_with_toast(_address(campaign_id), text)
