"""Trying a message before anybody gets it: a preview for any contact, and a test to the account's own chat."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from backend.channels.inbound import Chat, Person
from backend.core.database import db
from backend.core.errors import Conflict, Invalid, NotFound
from backend.models import Account, Campaign, Contact, Conversation, Message, Sender
from backend.services import conversations, delivery
from backend.services.auth import audit
from backend.services.auth.actor import Actor
from backend.services.campaigns import audience, preflight, records, rendering, steps, templates
from backend.services.campaigns.rendering import Rendered
from backend.services.contacts import records as contacts
from backend.services.delivery import Priority

TEST_KIND: Final = "campaign_test"
LOOKED_AT: Final = 200
"""People among whom the one with most missing fields is found."""


@dataclass(frozen=True, slots=True)
class Preview:
    """What a contact would get."""

    contact_id: int
    step: int
    variant: str | None
    text: str
    missing: tuple[str, ...]


def preview(campaign_id: int, *, contact_id: int | None, step: int) -> Preview:
    """What a contact gets in a step; without one, who misses most fields comes first. Raises NotFound, Invalid."""
    campaign = records.get(campaign_id)
    contact, rendered, variant = _render(campaign, contact_id, step)
    return Preview(contact.id, step, variant, rendered.shown, rendered.missing)


def send_test(actor: Actor, campaign_id: int, *, contact_id: int | None, step: int) -> Message:
    """Sends a step to the Saved Messages of the account, which counts for no ceiling.

    Raises Conflict (no_account), NotFound, and Invalid (missing_fields).
    """
    campaign = records.get(campaign_id)
    account = preflight.account_of(actor, campaign)
    _, rendered, _ = _render(campaign, contact_id, step)
    if rendered.missing:
        detail = {"missing": list(rendered.missing)}
        raise Invalid("missing_fields", "This contact has no value for some fields.", detail=detail)
    message = delivery.send(
        saved_messages(account), rendered.content, kind=TEST_KIND, lane=Priority.REPLY, at_most_once=True
    )
    audit.record(actor.by, "campaign.tested", f"campaign:{campaign.id}")
    return message


def saved_messages(account: Account) -> Conversation:
    """The account's conversation with itself."""
    sender = db.session.get(Sender, account.sender_id)
    if sender is None:
        raise Conflict("no_account", "The account is gone.")
    person = Person(account.telegram_user_id, account.name, account.username)
    chat = Chat(account.telegram_user_id, "private", name=account.name)
    return conversations.find_or_create(sender, chat, workspace_id=account.workspace_id, person=person)


def _render(campaign: Campaign, contact_id: int | None, position: int) -> tuple[Contact, Rendered, str | None]:
    of_campaign = steps.of(campaign.id)
    if position > len(of_campaign):
        raise NotFound("step_not_found", "The campaign has fewer steps.")
    contact = contacts.get(contact_id) if contact_id is not None else _poorest(campaign, position)
    variant = steps.draw_variant(campaign, contact.id, of_campaign)
    return contact, rendering.render(campaign, of_campaign[position - 1], variant, contact), variant


def _poorest(campaign: Campaign, position: int) -> Contact:
    """Of the first people of the audience, the one with most missing fields: as many statements for any number."""
    ids = audience.contact_ids(campaign.audience)[:LOOKED_AT]
    step = steps.of(campaign.id)[position - 1]
    wanted = list(dict.fromkeys(name for text in steps.texts_of(step) for name in templates.names(text)))
    known = rendering.values_of_all(contacts.several(ids))
    there = [contact_id for contact_id in ids if contact_id in known]
    if not there:
        raise Invalid.of("audience", "nobody", "The audience is empty.")
    poorest = max(there, key=lambda contact_id: sum(not known[contact_id][1].get(name) for name in wanted))
    return known[poorest][0]
