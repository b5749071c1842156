"""Campaigns: made, checked before the launch, launched, and followed person by person."""

from __future__ import annotations

from typing import Any, Final

from apiflask import APIBlueprint
from flask import Response, jsonify

from backend.http import guards
from backend.http.guards import access
from backend.http.schemas.campaigns import (
    AddIn,
    AddOut,
    CampaignChange,
    CampaignIn,
    CampaignOut,
    CampaignPreviewOut,
    Campaigns,
    CampaignsQuery,
    CampaignTestIn,
    CampaignTestOut,
    LaunchIn,
    PreflightOut,
    PreviewQuery,
    RecipientOut,
    RecipientResolveIn,
    Recipients,
    RecipientsQuery,
    RetryIn,
    RetryOut,
    SimulateIn,
    SimulationOut,
    VariantsOut,
)
from backend.models import Campaign
from backend.services.auth import people as people_records
from backend.services.campaigns import (
    by_bot,
    figures,
    ledger,
    lifecycle,
    people,
    preflight,
    records,
    serializers,
    simulation,
    trials,
)
from backend.services.campaigns.lifecycle import PreflightStale
from backend.services.campaigns.planner import Assumptions
from backend.services.campaigns.trials import Preview

bp = APIBlueprint("campaigns", __name__, url_prefix="/api/campaigns", tag="Campaigns")

_CSV: Final[dict[Any, Any]] = {
    200: {"description": "The recipients", "content": {"text/csv": {"schema": {"type": "string"}}}}
}


@bp.get("")
@access()
@bp.input(CampaignsQuery, location="query")
@bp.output(Campaigns)
def listing(query_data: CampaignsQuery) -> dict[str, Any]:
    """List campaigns, the newest first"""
    listed, following = records.listing(
        state=query_data.state, archived=query_data.archived, cursor=query_data.cursor, limit=query_data.limit
    )
    return {"campaigns": serializers.describe(listed), "next_cursor": following}


@bp.post("")
@access("operator", idempotent=True)
@bp.input(CampaignIn)
@bp.output(CampaignOut, status_code=201)
def create(json_data: CampaignIn) -> dict[str, Any]:
    """Make a campaign, as a draft

    A text that cannot be used is 422 `template_invalid` with `line` and `column`.
    """
    return _shown(records.create(guards.actor(), json_data.model_dump(by_alias=True)))


@bp.get("/<int:campaign_id>")
@access()
@bp.output(CampaignOut)
def show(campaign_id: int) -> dict[str, Any]:
    """Show a campaign"""
    return _shown(records.get(campaign_id))


@bp.patch("/<int:campaign_id>")
@access("operator")
@bp.input(CampaignChange)
@bp.output(CampaignOut)
def change(campaign_id: int, json_data: CampaignChange) -> dict[str, Any]:
    """Change a campaign, also while it runs

    Another `version` than the present one is 409 `version_conflict`. Steps are added at the end, and none removed once
    somebody got a later one.
    """
    changes = json_data.model_dump(exclude_unset=True, by_alias=True)
    return _shown(records.change(guards.actor(), campaign_id, changes.pop("version"), changes))


@bp.post("/<int:campaign_id>/preflight")
@access("operator")
@bp.output(PreflightOut)
def make_preflight(campaign_id: int) -> dict[str, Any]:
    """Say what a launch would do

    From what is known already; nobody is asked. It holds for 15 minutes.
    """
    return preflight.describe(preflight.make(guards.actor(), campaign_id))


@bp.post("/<int:campaign_id>/launch")
@access("operator")
@bp.input(LaunchIn)
@bp.output(CampaignOut)
def launch(campaign_id: int, json_data: LaunchIn) -> dict[str, Any] | Response:
    """Launch a campaign with a preflight

    What changed meanwhile is 409 `preflight_stale` with a new preflight in `detail`. A repetition changes nothing.
    """
    accepted = json_data.accept_end_date
    try:
        launched = lifecycle.launch(guards.actor(), campaign_id, json_data.preflight_id, accept_end_date=accepted)
    except PreflightStale as error:
        # An answer and no error: the new preflight is kept.
        response = jsonify(error.to_json())
        response.status_code = error.status
        return response
    return _shown(launched[0])


@bp.post("/<int:campaign_id>/pause")
@access("operator")
@bp.output(CampaignOut)
def pause(campaign_id: int) -> dict[str, Any]:
    """Pause a campaign

    What has not begun waits again.
    """
    campaign = records.get(campaign_id, lock=True)
    lifecycle.pause(guards.attribution(), campaign, "operator")
    return _shown(campaign)


@bp.post("/<int:campaign_id>/resume")
@access("operator")
@bp.output(CampaignOut)
def resume(campaign_id: int) -> dict[str, Any]:
    """Let a paused campaign run on"""
    return _shown(lifecycle.resume(guards.actor(), campaign_id))


@bp.post("/<int:campaign_id>/cancel")
@access("operator")
@bp.output(CampaignOut)
def cancel(campaign_id: int) -> dict[str, Any]:
    """End a campaign for good"""
    return _shown(lifecycle.cancel(guards.actor(), campaign_id))


@bp.post("/<int:campaign_id>/archive")
@access("operator")
@bp.output(CampaignOut)
def archive(campaign_id: int) -> dict[str, Any]:
    """Put a draft, or a campaign that has ended, out of sight"""
    return _shown(lifecycle.archive(guards.actor(), campaign_id, archived=True))


@bp.post("/<int:campaign_id>/restore")
@access("operator")
@bp.output(CampaignOut)
def restore(campaign_id: int) -> dict[str, Any]:
    """Bring an archived campaign back"""
    return _shown(lifecycle.archive(guards.actor(), campaign_id, archived=False))


@bp.post("/<int:campaign_id>/simulate")
@access("operator")
@bp.input(SimulateIn)
@bp.output(SimulationOut)
def simulate(campaign_id: int, json_data: SimulateIn) -> dict[str, Any]:
    """Simulate a campaign

    By the function that plans the real one: with a reply rate of 0 it is what then happens, to the minute.
    """
    assumptions = Assumptions(json_data.reply_rate, json_data.found_rate)
    return simulation.simulate(guards.actor(), campaign_id, start=json_data.from_, assumptions=assumptions)


@bp.get("/<int:campaign_id>/variants")
@access()
@bp.output(VariantsOut)
def variants(campaign_id: int) -> dict[str, Any]:
    """Compare the variants of a campaign

    Below 100 people who were written to, `too_few` says that nothing can be told from a variant yet.
    """
    return {"variants": figures.by_variant(records.get(campaign_id))}


@bp.get("/<int:campaign_id>/preview")
@access()
@bp.input(PreviewQuery, location="query")
@bp.output(CampaignPreviewOut)
def preview(campaign_id: int, query_data: PreviewQuery) -> Preview:
    """Show a message as a contact would get it

    Without a contact, whoever misses most fields comes first.
    """
    return trials.preview(campaign_id, contact_id=query_data.contact_id, step=query_data.step)


@bp.post("/<int:campaign_id>/test")
@access("operator", idempotent=True)
@bp.input(CampaignTestIn)
@bp.output(CampaignTestOut, status_code=202)
def send_test(campaign_id: int, json_data: CampaignTestIn) -> dict[str, Any]:
    """Send a message to the account's own Saved Messages

    It counts for no ceiling.
    """
    message = trials.send_test(guards.actor(), campaign_id, contact_id=json_data.contact_id, step=json_data.step)
    return {"message_id": message.id}


@bp.get("/<int:campaign_id>/recipients")
@access()
@bp.input(RecipientsQuery, location="query")
@bp.output(Recipients)
def recipients(campaign_id: int, query_data: RecipientsQuery) -> dict[str, Any]:
    """List the people of a campaign, with why each waits, was skipped, or failed

    Nothing says "delivered": Telegram tells of no such thing.
    """
    rows, following = ledger.page(
        records.get(campaign_id),
        _locale(),
        state=query_data.state,
        reason=query_data.reason,
        cursor=query_data.cursor,
        limit=query_data.limit,
    )
    return {"recipients": rows, "next_cursor": following}


@bp.post("/<int:campaign_id>/recipients")
@access("operator")
@bp.input(AddIn)
@bp.output(AddOut)
def add_recipients(campaign_id: int, json_data: AddIn) -> dict[str, Any]:
    """Add people to a campaign that was launched"""
    return {"added": people.add(guards.actor(), campaign_id, json_data.contact_ids)}


@bp.get("/<int:campaign_id>/recipients/export")
@access()
@bp.doc(responses=_CSV)
def export(campaign_id: int) -> Response:
    """Export the people of a campaign as CSV"""
    text = "".join(ledger.csv_lines(records.get(campaign_id), _locale()))
    response = Response("\ufeff" + text, mimetype="text/csv")
    response.headers["Content-Disposition"] = "attachment; filename=recipients.csv"
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response


@bp.post("/<int:campaign_id>/recipients/retry")
@access("operator")
@bp.input(RetryIn)
@bp.output(RetryOut)
def retry(campaign_id: int, json_data: RetryIn) -> dict[str, Any]:
    """Try people again whom something kept out that may have changed"""
    return {"retried": ledger.retry(guards.actor(), campaign_id, json_data.recipient_ids)}


@bp.post("/<int:campaign_id>/recipients/<int:recipient_id>/resolve")
@access("operator")
@bp.input(RecipientResolveIn)
@bp.output(RecipientOut)
def resolve(campaign_id: int, recipient_id: int, json_data: RecipientResolveIn) -> dict[str, Any]:
    """Say what became of a message whose outcome nobody knew

    `sent`: it arrived. `not_sent`: it goes again.
    """
    row = ledger.resolve(guards.actor(), campaign_id, recipient_id, json_data.outcome)
    return ledger.describe(records.get(campaign_id), [row], _locale())[0]


@bp.post("/<int:campaign_id>/recipients/<int:recipient_id>/by-bot")
@access("operator", idempotent=True)
@bp.output(RecipientOut)
def reach_by_bot(campaign_id: int, recipient_id: int) -> dict[str, Any]:
    """Send a person their next message by the bot instead

    For who has opened a bot of the workspace; else 409 `no_bot_chat`. The campaign ends for this person with it.
    """
    row = by_bot.reach(guards.actor(), campaign_id, recipient_id)
    return ledger.describe(records.get(campaign_id), [row], _locale())[0]


@bp.delete("/<int:campaign_id>/recipients/<int:recipient_id>")
@access("operator")
@bp.output({}, status_code=204)
def take_out(campaign_id: int, recipient_id: int) -> Response:
    """Take a person out of a campaign"""
    ledger.take_out(guards.actor(), campaign_id, recipient_id)
    return Response(status=204)


def _shown(campaign: Campaign) -> dict[str, Any]:
    return serializers.describe_one(campaign)


def _locale() -> str:
    """The language that the caller reads."""
    return people_records.get(guards.actor().user_id).locale
