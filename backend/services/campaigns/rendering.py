"""The message of a step for one person: the fields filled in, and what a law wants at its head and end."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import select

from backend.channels import richtext
from backend.channels.base import Content
from backend.core import i18n
from backend.core.database import db, system_scope
from backend.models import Campaign, CampaignStep, Contact, ContactPoint, Workspace
from backend.services.campaigns import steps, templates
from backend.services.contacts import consent_rules, settings, unsubscribe
from backend.services.contacts.identifiers import FIELD_OF

_OWN: Final = ("first_name", "last_name", "company", "title", "locale", "region", "source")


@dataclass(frozen=True, slots=True)
class Rendered:
    """A text that is ready, as neutral rich text, and the names for which there was no value."""

    text: str
    missing: tuple[str, ...]

    @property
    def content(self) -> Content:
        """What goes out: without a preview of its links, which the provider would open."""
        return Content(self.text, format="html", link_preview=False)

    @property
    def shown(self) -> str:
        """The text alone, as a reader sees it."""
        return richtext.visible(richtext.read(self.text))


@dataclass(frozen=True, slots=True)
class Order:
    """A text to fill in: which step, in which variant, for whom."""

    campaign: Campaign
    step: CampaignStep
    variant: str | None
    contact: Contact


def render(campaign: Campaign, step: CampaignStep, variant: str | None, contact: Contact) -> Rendered:
    """What this contact gets in this step."""
    return render_all([Order(campaign, step, variant, contact)])[0]


def render_all(orders: Sequence[Order]) -> list[Rendered]:
    """What each of these contacts of one workspace gets, in their order: three statements over all of them."""
    if not orders:
        return []
    points = _points({order.contact.id for order in orders})
    setting = settings.get().rules
    with system_scope("the workspace's own name"):
        name = db.session.scalar(select(Workspace.name).where(Workspace.id == orders[0].campaign.workspace_id))
    return [_rendered(order, points[order.contact.id], setting, str(name or "")) for order in orders]


def values_of(contact: Contact, points: Mapping[str, str]) -> dict[str, Any]:
    """What the placeholders of a contact stand for, by name."""
    own = {name: getattr(contact, name) for name in _OWN if getattr(contact, name) is not None}
    return {**contact.fields, **points, **own}


def values_of_all(people: Sequence[Contact]) -> dict[int, tuple[Contact, dict[str, Any]]]:
    """Each of these contacts with what their placeholders stand for, by the contact's id: one statement."""
    points = _points({contact.id for contact in people})
    return {
        contact.id: (contact, values_of(contact, {FIELD_OF[point.kind]: point.value for point in points[contact.id]}))
        for contact in people
    }


def _points(contact_ids: Collection[int]) -> dict[int, list[ContactPoint]]:
    """What contacts are known by, the primary ones last."""
    known: dict[int, list[ContactPoint]] = {contact_id: [] for contact_id in contact_ids}
    query = select(ContactPoint).where(ContactPoint.contact_id.in_(sorted(contact_ids)))
    for point in db.session.scalars(query.order_by(ContactPoint.is_primary, ContactPoint.id)):
        known[point.contact_id].append(point)
    return known


def _rendered(order: Order, points: Sequence[ContactPoint], setting: str, workspace_name: str) -> Rendered:
    template = steps.text_for(order.step, order.variant)
    own = {FIELD_OF[point.kind]: point.value for point in points}
    values = values_of(order.contact, own)
    address = unsubscribe.link_for(points[-1]) if points else ""
    text = templates.render(template, values, unsubscribe_url=address)
    numbers = [own["phone"]] if "phone" in own else []
    rules = consent_rules.applying(setting, numbers, order.contact.region)
    if rules is not None and order.campaign.purpose == consent_rules.PURPOSE:
        text = _by_rules(text, template, rules, workspace_name, address)
    return Rendered(text, tuple(templates.missing(template, values)))


def _by_rules(text: str, template: str, rules: consent_rules.Rules, workspace_name: str, address: str) -> str:
    parts = [f"{rules.head} {richtext.escape(workspace_name)}".strip(), text]
    if rules.needs_refusal_line and templates.UNSUBSCRIBE not in template:
        parts.append(richtext.escape(i18n.text("campaigns.refusal", "ko", link=address)))
    return "\n".join(parts)
