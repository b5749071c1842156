"""The variants of a step in the form of a campaign: name, text, weight, and whether it is on, up to five times."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from backend.models import CampaignStep
from backend.services.campaigns import templates

NUMBERS: Final = range(1, templates.MAX_VARIANTS + 1)


def name_of(step: int, variant: int, part: str) -> str:
    """The form's field: `variant_2_1_text` for the text of the first variant of the second step."""
    return f"variant_{step}_{variant}_{part}"


def of_step(step: CampaignStep) -> dict[str, str]:
    """What the form of a step begins with."""
    values: dict[str, str] = {}
    for number, variant in enumerate(step.variants, 1):
        values[name_of(step.position, number, "name")] = variant["name"]
        values[name_of(step.position, number, "text")] = variant["template"]
        values[name_of(step.position, number, "weight")] = str(variant.get("weight", 1))
        if variant.get("is_on", True):
            values[name_of(step.position, number, "on")] = "on"
    return values


def given(written: Mapping[str, Any], step: int) -> list[dict[str, Any]]:
    """The variants that were typed; those without a name and a text are none."""
    listed = []
    for number in NUMBERS:
        name = str(written.get(name_of(step, number, "name"), "")).strip()
        text = str(written.get(name_of(step, number, "text"), "")).replace("\r\n", "\n").strip()
        if not name and not text:
            continue
        weight = str(written.get(name_of(step, number, "weight"), "")).strip() or "1"
        is_on = name_of(step, number, "on") in written
        listed.append({"name": name, "template": text, "weight": weight, "is_on": is_on})
    return listed


def is_shown(written: Mapping[str, Any], step: int) -> bool:
    """Whether the form had the variants of a step; of one that had not they stay."""
    return name_of(step, 1, "name") in written
