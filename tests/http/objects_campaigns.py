"""The examples of campaigns and of the calls of existing clients; see `objects`."""

from __future__ import annotations

from itertools import count
from typing import Any

from backend.channels.inbound import Chat
from backend.core import clock
from backend.core.database import db, system_scope, workspace_scope
from backend.models import Account, Campaign, CampaignMessage, CampaignRecipient, Identity, User
from backend.services import conversations
from backend.services.campaigns import lifecycle, preflight, records
from tests.http import callers
from tests.http.holdings import admin_of, home
from tests.http.objects import Example, example
from tests.http.objects_contacts import contact
from tests.support import accounts, factories
from tests.support.campaigns import BASIS, CHANNEL, conversations_person

STEP = {"template": "Hello {first_name|there}", "delay_days": 0, "variants": []}
_made = count(6_000_001)


def account(caller: User) -> Account:
    """An account that everybody of the workspace may use; the same each time."""
    with system_scope("a test's objects"):
        query = db.session.query(Account).filter(Account.workspace_id == caller.workspace_id)
        for found in query:
            if found.allowed_senders == ["workspace"]:
                return found
        made = accounts.account(
            home(caller),
            admin_of(caller),
            telegram_id=next(_made),
            session=f"2|127.0.0.1|443|{next(_made):0512d}",
            allowed_senders=["workspace"],
            caught_up_at=clock.now(),
        )
        db.session.flush()
        return made


def person(caller: User) -> int:
    """A contact whose Telegram account is known."""
    telegram_id = str(next(_made))
    contact_id = contact(caller, telegram_user_id=telegram_id)
    known = conversations_person(telegram_id)
    conversations.identity_of(CHANNEL, known, workspace_id=caller.workspace_id)
    return contact_id


def campaign(caller: User, state: str = "draft", **values: Any) -> Campaign:
    """A campaign to one person, in this state."""
    actor = callers.acting(admin_of(caller))
    made_for = account(caller)
    with workspace_scope(caller.workspace_id):
        given = {
            "name": "Spring offer",
            "audience": {"contact_ids": [person(caller)]},
            "steps": [STEP],
            "account_id": made_for.sender_id,
            "lawful_basis": BASIS,
        }
        made = records.create(actor, given | values)
        if state == "draft":
            return made
        found = preflight.make(actor, made.id)
        lifecycle.launch(actor, made.id, found.id)
        if state == "paused":
            lifecycle.pause(actor.by, made, "operator")
        if state == "canceled":
            lifecycle.cancel(actor, made.id)
        return made


def recipient(caller: User, state: str = "waiting") -> CampaignRecipient:
    """A recipient of a campaign that runs, in this state."""
    of = campaign(caller, "running")
    with workspace_scope(caller.workspace_id):
        row: CampaignRecipient = db.session.query(CampaignRecipient).filter_by(campaign_id=of.id).one()
        if state != "waiting":
            row.state, row.reason, row.ended_at = state, "outcome_unknown", clock.now()
            db.session.add(message(row, state))
        db.session.flush()
        return row


def message(row: CampaignRecipient, state: str) -> CampaignMessage:
    """The first message of a recipient, in this state; the caller adds it."""
    return CampaignMessage(
        workspace_id=row.workspace_id,
        campaign_id=row.campaign_id,
        recipient_id=row.id,
        sender_id=db.session.get_one(Campaign, row.campaign_id).sender_id,
        step=1,
        step_version=1,
        rendered_text="Hello Ada",
        state=state,
        planned_at=clock.now(),
        created_at=clock.now(),
    )


@example("campaigns.listing")
def _listing(caller: User) -> Example:
    campaign(caller)
    return Example()


@example("campaigns.create")
def _create(caller: User) -> Example:
    contact_id = contact(caller)
    body = {"name": "Spring offer", "steps": [STEP], "audience": {"contact_ids": [contact_id]}}
    other = {"json": body | {"audience": {}, "account_id": account(caller).sender_id}}
    return Example(json=body, status=201, foreign=[{"json": body}, other])


@example("campaigns.show", "campaigns.preview", "campaigns.variants", "campaigns.recipients", "campaigns.export")
def _show(caller: User) -> Example:
    return Example(path={"campaign_id": campaign(caller).id})


@example("campaigns.make_preflight", "campaigns.cancel", "campaigns.archive", "campaigns.restore")
def _draft(caller: User) -> Example:
    return Example(path={"campaign_id": campaign(caller).id})


@example("campaigns.change")
def _change(caller: User) -> Example:
    made = campaign(caller)
    return Example(path={"campaign_id": made.id}, json={"version": made.version, "name": "Summer offer"})


@example("campaigns.launch")
def _launch(caller: User) -> Example:
    made = campaign(caller)
    with workspace_scope(caller.workspace_id):
        found = preflight.make(callers.acting(admin_of(caller)), made.id)
    return Example(path={"campaign_id": made.id}, json={"preflight_id": found.id})


@example("campaigns.simulate")
def _simulate(caller: User) -> Example:
    return Example(path={"campaign_id": campaign(caller).id}, json={"reply_rate": 0.1, "found_rate": 0.9})


@example("campaigns.send_test")
def _send_test(caller: User) -> Example:
    return Example(path={"campaign_id": campaign(caller).id}, json={"step": 1}, status=202)


@example("campaigns.pause")
def _pause(caller: User) -> Example:
    return Example(path={"campaign_id": campaign(caller, "running").id})


@example("campaigns.resume")
def _resume(caller: User) -> Example:
    return Example(path={"campaign_id": campaign(caller, "paused").id})


@example("campaigns.add_recipients")
def _add(caller: User) -> Example:
    body = {"contact_ids": [person(caller)]}
    return Example(path={"campaign_id": campaign(caller, "running").id}, json=body)


@example("campaigns.retry")
def _retry(caller: User) -> Example:
    return Example(path={"campaign_id": campaign(caller, "running").id}, json={})


@example("campaigns.resolve")
def _resolve(caller: User) -> Example:
    row = recipient(caller, "unknown")
    return Example(path={"campaign_id": row.campaign_id, "recipient_id": row.id}, json={"outcome": "sent"})


@example("campaigns.reach_by_bot")
def _reach_by_bot(caller: User) -> Example:
    row = recipient(caller)
    with system_scope("a test's objects"):
        telegram_id = db.session.get_one(Identity, row.identity_id).external_id
        bot = factories.bot(home(caller))
        opened = conversations.find_or_create(
            bot,
            Chat(telegram_id, "private"),
            workspace_id=caller.workspace_id,
            person=conversations_person(telegram_id),
        )
        assert opened.identity_id == row.identity_id
        db.session.flush()
    return Example(path={"campaign_id": row.campaign_id, "recipient_id": row.id})


@example("campaigns.take_out")
def _take_out(caller: User) -> Example:
    row = recipient(caller)
    return Example(path={"campaign_id": row.campaign_id, "recipient_id": row.id}, status=204)


@example("telegram_campaigns.start")
def _start(caller: User) -> Example:
    account_id = account(caller).sender_id
    body = {"contact_ids": [person(caller)], "message_template": "Hello {first_name|there}", "account_id": account_id}
    body["lawful_basis"] = BASIS
    return Example(json=body, status=202, foreign=[{"json": body}])


@example("telegram_campaigns.status", "telegram_campaigns.messages")
def _status(caller: User) -> Example:
    account(caller)
    campaign(caller, "running")
    return Example()
