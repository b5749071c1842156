"""Campaigns as they are made, changed and listed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import select, update

from backend.core import clock
from backend.core.database import current_workspace_id, db
from backend.core.errors import Conflict, Forbidden, Invalid, NotFound
from backend.models import Account, Campaign, CampaignMessage, CampaignRecipient
from backend.services import accounts, live, paging
from backend.services.accounts import access
from backend.services.auth import audit
from backend.services.auth.actor import Actor
from backend.services.campaigns import audience, locking, states, steps
from backend.services.campaigns.windows import Window

TOPIC: Final = "campaigns"
BASES: Final = ("consent", "soft_opt_in", "contract", "legitimate_interest")
MIN_NOTE: Final = 20
_PLAIN: Final = ("name", "purpose", "add_to_contacts", "scheduled_at")


def create(actor: Actor, values: Mapping[str, Any]) -> Campaign:
    """Makes a draft. Raises Invalid, NotFound, and Forbidden for an account that the person may not use."""
    now = clock.now()
    campaign = Campaign(
        workspace_id=current_workspace_id(),
        name=values["name"],
        state=states.DRAFT,
        user_id=actor.user_id,
        purpose=values.get("purpose") or "marketing",
        audience=audience.stored(values.get("audience") or {}),
        window=_window(values.get("window")),
        add_to_contacts=values.get("add_to_contacts") or False,
        lawful_basis=lawful_basis(actor, values.get("lawful_basis")),
        scheduled_at=values.get("scheduled_at"),
        created_at=now,
        updated_at=now,
    )
    if values.get("account_id") is not None:
        campaign.sender_id = usable(actor, values["account_id"]).sender_id
    db.session.add(campaign)
    db.session.flush()
    steps.store(campaign, values["steps"])
    audit.record(actor.by, "campaign.created", f"campaign:{campaign.id}")
    live.note(campaign.workspace_id, TOPIC, campaign_id=campaign.id)
    return campaign


def get(campaign_id: int, *, lock: bool = False) -> Campaign:
    """A campaign of the workspace in scope; to be locked, its messages under way are first. Raises NotFound."""
    if lock:
        locking.messages(CampaignMessage.campaign_id == campaign_id)
    campaign = db.session.get(Campaign, campaign_id, with_for_update=lock or None, populate_existing=lock)
    if campaign is None:
        raise NotFound("campaign_not_found", "There is no such campaign.")
    return campaign


def recipient(campaign_id: int, recipient_id: int) -> tuple[Campaign, CampaignRecipient]:
    """A person of a campaign with the campaign, both locked. Raises NotFound."""
    rows = locking.recipients(CampaignRecipient.id == recipient_id, CampaignRecipient.campaign_id == campaign_id)
    campaign = get(campaign_id, lock=True)
    if not rows:
        raise NotFound("recipient_not_found", "There is no such recipient.")
    return campaign, rows[0]


def listing(
    *,
    state: str | None = None,
    archived: bool = False,
    cursor: str | None = None,
    limit: int = paging.DEFAULT_LIMIT,
) -> tuple[list[Campaign], str | None]:
    """The workspace's campaigns, the newest first; those that were archived only when asked for."""
    query = select(Campaign).where(Campaign.archived_at.is_not(None) if archived else Campaign.archived_at.is_(None))
    if state is not None:
        query = query.where(Campaign.state == state)
    return paging.page(query, Campaign.id, cursor=cursor, limit=limit)


def change(actor: Actor, campaign_id: int, version: int, changes: Mapping[str, Any]) -> Campaign:
    """Changes what is named, also while it runs: who has not got a step yet gets its new text.

    Raises Conflict (version_conflict, campaign_state), and what `create` raises.
    """
    campaign = get(campaign_id, lock=True)
    require_version(campaign, version)
    if campaign.state in (states.FINISHED, states.CANCELED):
        raise wrong_state(campaign)
    require_sender(actor, campaign)
    fixed = {"audience", "account_id", "purpose"} - ({"account_id"} if _lost_its_account(campaign) else set())
    if campaign.launched_at is not None and fixed & set(changes):
        raise Conflict("campaign_state", "Audience, account and purpose are set once it was launched.")
    for name in _PLAIN:
        if name in changes:
            setattr(campaign, name, changes[name])
    if "audience" in changes:
        campaign.audience = audience.stored(changes["audience"] or {})
    if "lawful_basis" in changes:
        campaign.lawful_basis = lawful_basis(actor, changes["lawful_basis"])
    if "account_id" in changes:
        account_id = changes["account_id"]
        campaign.sender_id = None if account_id is None else usable(actor, account_id).sender_id
        forget_identities(campaign.id)
    if "window" in changes:
        _change_window(campaign, _window(changes["window"]))
    if "steps" in changes:
        steps.change(campaign, changes["steps"])
    if campaign.state == states.SCHEDULED:
        campaign.scheduled_at = campaign.next_turn_at = campaign.scheduled_at or clock.now()
    touch(campaign)
    audit.record(actor.by, "campaign.changed", f"campaign:{campaign.id}", fields=sorted(changes))
    return campaign


def touch(campaign: Campaign) -> None:
    """Raises the version, gives the account a turn, and tells whoever watches."""
    now = clock.now()
    campaign.version += 1
    campaign.updated_at = now
    if campaign.state == states.RUNNING:
        campaign.next_turn_at = now
    db.session.flush()
    live.note(campaign.workspace_id, TOPIC, campaign_id=campaign.id)


def require_version(campaign: Campaign, version: int) -> None:
    """Raises Conflict (version_conflict) where somebody else changed it meanwhile."""
    if campaign.version != version:
        detail = {"version": campaign.version}
        raise Conflict("version_conflict", "Somebody else changed the campaign meanwhile.", detail=detail)


def wrong_state(campaign: Campaign) -> Conflict:
    """The 409 for what the campaign's state does not allow."""
    detail = {"state": campaign.state}
    return Conflict("campaign_state", f"The campaign is {campaign.state}.", detail=detail)


def archived(campaign: Campaign) -> Conflict:
    """The 409 for launching what was put out of sight."""
    detail = {
        "state": campaign.state,
        "archived_at": None if campaign.archived_at is None else campaign.archived_at.isoformat(),
    }
    return Conflict("campaign_state", "The campaign is archived: restore it first.", detail=detail)


def usable(actor: Actor, account_id: int) -> Account:
    """An account from which the person may start campaigns. Raises NotFound, Forbidden."""
    account = access.find(account_id)
    if not access.may_use(actor, account):
        raise Forbidden("account_not_yours", "Its owner has not named you among those who may use this account.")
    return account


def require_sender(actor: Actor, campaign: Campaign) -> None:
    """Whoever changes what a campaign sends after its launch may use its account; one that was removed sends nothing.
    Raises Forbidden."""
    if campaign.launched_at is None or campaign.sender_id is None:
        return
    account = access.of_sender(campaign.sender_id)
    if account is not None and account.deleted_at is None:
        usable(actor, account.sender_id)


def forget_identities(campaign_id: int) -> None:
    """Has whoever waits looked up again: an access hash holds for one account only."""
    db.session.execute(
        update(CampaignRecipient)
        .where(CampaignRecipient.campaign_id == campaign_id, CampaignRecipient.ended_at.is_(None))
        .where(CampaignRecipient.state.in_(states.PENDING), CampaignRecipient.contact_point_id.is_not(None))
        .values(identity_id=None, planned_at=None, updated_at=clock.now())
        .execution_options(synchronize_session="fetch")
    )


def _lost_its_account(campaign: Campaign) -> bool:
    """Whether it is paused because its account was removed, so that another may be chosen."""
    if campaign.state != states.PAUSED or campaign.sender_id is None:
        return False
    account = access.of_sender(campaign.sender_id)
    return account is None or account.deleted_at is not None


def usable_ids(actor: Actor) -> list[int]:
    """The accounts from which the person may start campaigns."""
    return [account.sender_id for account in accounts.usable_for(actor)]


def lawful_basis(actor: Actor, given: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Why people are written to who gave no consent, with who said so and when. Raises Invalid (no_lawful_basis)."""
    if given is None:
        return None
    note = str(given.get("note") or "").strip()
    if given.get("basis") not in BASES or len(note) < MIN_NOTE:
        message = f"Say on which basis people are written to, with a note of at least {MIN_NOTE} characters."
        raise Invalid.of("lawful_basis", "no_lawful_basis", message)
    return {"basis": given["basis"], "note": note, "by": actor.label, "at": clock.now().isoformat()}


def _window(given: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if given is None:
        return None
    try:
        return Window.of(dict(given)).to_json()
    except ValueError:
        raise Invalid.of("window", "window_invalid", "A window has days from 0 to 6, and two times.") from None


def _change_window(campaign: Campaign, window: dict[str, Any] | None) -> None:
    """Other hours: the hours of whoever waits are resolved again."""
    if window == campaign.window:
        return
    campaign.window = window
    db.session.execute(
        update(CampaignRecipient)
        .where(CampaignRecipient.campaign_id == campaign.id, CampaignRecipient.ended_at.is_(None))
        .values(planned_at=None, hours_key=None)
        .execution_options(synchronize_session=False)
    )
