"""The steps of a campaign: stored, changed while it runs, and the texts that they hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import func, select

from backend.core.database import db
from backend.core.encrypted_columns import keyring
from backend.core.errors import Conflict, Invalid
from backend.models import Campaign, CampaignMessage, CampaignRecipient, CampaignStep
from backend.services.campaigns import templates
from backend.services.campaigns.templates import Variant
from backend.services.contacts import custom_fields

MAX_STEPS: Final = 5
MAX_DELAY_DAYS: Final = 30


def of(campaign_id: int) -> list[CampaignStep]:
    """The steps of a campaign, in order."""
    query = select(CampaignStep).where(CampaignStep.campaign_id == campaign_id).order_by(CampaignStep.position)
    return list(db.session.scalars(query))


def of_many(campaign_ids: Sequence[int]) -> dict[int, list[CampaignStep]]:
    """The steps of several campaigns, in order."""
    query = select(CampaignStep).where(CampaignStep.campaign_id.in_(campaign_ids)).order_by(CampaignStep.position)
    matching: dict[int, list[CampaignStep]] = {campaign_id: [] for campaign_id in campaign_ids}
    for step in db.session.scalars(query):
        matching[step.campaign_id].append(step)
    return matching


def check(given: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Steps as they are stored. Raises Invalid: template_invalid, too_many_steps, delay_invalid, variant_invalid."""
    if not given:
        raise Invalid.of("steps", "no_steps", "A campaign has at least one step.")
    if len(given) > MAX_STEPS:
        raise Invalid.of("steps", "too_many_steps", f"A campaign has at most {MAX_STEPS} steps.")
    known = set(custom_fields.by_key())
    return [_checked(index, step, known) for index, step in enumerate(given)]


def store(campaign: Campaign, given: Sequence[Mapping[str, Any]]) -> None:
    """Stores the steps of a new campaign. Raises what `check` raises."""
    for position, values in enumerate(check(given), start=1):
        db.session.add(
            CampaignStep(workspace_id=campaign.workspace_id, campaign_id=campaign.id, position=position, **values)
        )
    db.session.flush()


def change(campaign: Campaign, given: Sequence[Mapping[str, Any]]) -> bool:
    """Puts these steps in the place of those that are there; returns whether a text, a delay or a step changed.

    While it is under way steps are added at the end and none removed once somebody got a later one. Raises Conflict
    (campaign_state), and what `check` raises.
    """
    wanted, present = check(given), of(campaign.id)
    if len(wanted) < len(present):
        _require_unsent(campaign, len(wanted))
    is_changed = len(wanted) != len(present)
    for step, values in zip(present, wanted, strict=False):
        texts = {"template": values["template"], "variants": values["variants"]}
        if texts != {"template": step.template, "variants": step.variants}:
            step.template, step.variants = values["template"], values["variants"]
            step.version += 1
            is_changed = True
        if step.delay_days != values["delay_days"]:
            step.delay_days, is_changed = values["delay_days"], True
    for step in present[len(wanted) :]:
        db.session.delete(step)
    for position in range(len(present) + 1, len(wanted) + 1):
        db.session.add(
            CampaignStep(
                workspace_id=campaign.workspace_id, campaign_id=campaign.id, position=position, **wanted[position - 1]
            )
        )
    db.session.flush()
    return is_changed


def required(steps: Sequence[CampaignStep]) -> list[str]:
    """The names that every recipient needs a value for."""
    texts = [text for step in steps for text in texts_of(step)]
    return list(dict.fromkeys(name for text in texts for name in templates.required(text)))


def texts_of(step: CampaignStep) -> list[str]:
    """The texts that somebody may get in a step."""
    offered = [variant["template"] for variant in step.variants if variant.get("is_on", True)]
    return offered or [step.template]


def text_for(step: CampaignStep, variant: str | None) -> str:
    """The text of a step for whoever has this variant."""
    matching = [entry["template"] for entry in step.variants if entry["name"] == variant]
    return matching[0] if matching else step.template


def variants_of(steps: Sequence[CampaignStep]) -> list[Variant]:
    """The variants of a campaign: those of its first step that has some."""
    step = next((step for step in steps if step.variants), None)
    entries = step.variants if step is not None else []
    return [Variant(entry["name"], entry.get("weight", 1), entry.get("is_on", True)) for entry in entries]


def draw_variant(campaign: Campaign, contact_id: int, steps: Sequence[CampaignStep]) -> str | None:
    """The variant that a contact gets in a campaign; None where there are none."""
    key = keyring().lookup("campaign.variant", str(campaign.id))
    return templates.variant_of(key, campaign.id, contact_id, variants_of(steps))


def _checked(index: int, step: Mapping[str, Any], known: set[str]) -> dict[str, Any]:
    field = f"steps.{index}"
    delay = int(step.get("delay_days") or 0)
    if index == 0:
        delay = 0
    elif not 1 <= delay <= MAX_DELAY_DAYS:
        message = f"A follow-up comes 1 to {MAX_DELAY_DAYS} days after the step before."
        raise Invalid.of(f"{field}.delay_days", "delay_invalid", message)
    templates.check(step["template"], known, f"{field}.template")
    variants = [dict(variant) for variant in step.get("variants") or ()]
    names = [variant["name"] for variant in variants]
    if len(variants) > templates.MAX_VARIANTS or len(set(names)) != len(names) or len(variants) == 1:
        message = f"A step has two to {templates.MAX_VARIANTS} variants with different names, or none."
        raise Invalid.of(f"{field}.variants", "variant_invalid", message)
    for number, variant in enumerate(variants):
        templates.check(variant["template"], known, f"{field}.variants.{number}.template")
    return {"template": step["template"], "delay_days": delay, "variants": variants}


def _require_unsent(campaign: Campaign, keep: int) -> None:
    """Raises Conflict where somebody already got a step that is to go, or one after it."""
    later = db.session.scalar(
        select(func.count(CampaignMessage.id)).where(
            CampaignMessage.campaign_id == campaign.id, CampaignMessage.step > keep
        )
    )
    waiting = db.session.scalar(
        select(func.count(CampaignRecipient.id)).where(
            CampaignRecipient.campaign_id == campaign.id,
            CampaignRecipient.step > keep,
            CampaignRecipient.ended_at.is_(None),
        )
    )
    if later or waiting:
        raise Conflict("campaign_state", "Somebody has got this far: steps can be added, and none removed.")
