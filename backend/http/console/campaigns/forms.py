"""The form of a campaign: what its fields are called, and what was typed as the API takes it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from flask import request

from backend.core.errors import Invalid, field_error
from backend.http import bodies
from backend.http.console.campaigns import variants_form
from backend.http.console.kit import form_errors, pages
from backend.models import Campaign, CampaignStep
from backend.services.campaigns import steps as campaign_steps

STEPS: Final = range(1, campaign_steps.MAX_STEPS + 1)
PURPOSES: Final = ("marketing", "service", "event", "other")
_FIELDS: Final = {
    "audience.contact_ids": "contact_ids",
    "audience.tags": "tags",
    "audience.segment_id": "segment_id",
    "window.days": "day",
    "window.from": "from",
    "window.to": "to",
    "window": "from",
    "audience": "tags",
}


def _field_of(path: str) -> str:
    """The form's field for a path: `text_2` for `steps.1.template`."""
    variant = re.match(r"steps\.(\d+)\.variants(?:\.(\d+)\.(name|template|weight))?", path)
    if variant:
        part = {"template": "text"}.get(variant[3] or "name", variant[3] or "name")
        return variants_form.name_of(int(variant[1]) + 1, int(variant[2] or 0) + 1, part)
    matched = re.match(r"steps\.(\d+)\.(template|delay_days)", path)
    if matched:
        name = "delay" if matched[2] == "delay_days" else "text"
        return f"{name}_{int(matched[1]) + 1}"
    if path == "steps":
        return "text_1"
    return _FIELDS.get(path) or next((name for start, name in _FIELDS.items() if path.startswith(f"{start}.")), path)


CAMPAIGN: Final = form_errors.Form(
    "campaign",
    labels={
        "name": "console_campaigns.field.name",
        "tags": "console_campaigns.field.tags",
        "contact_ids": "console_campaigns.field.contact_ids",
        "from": "console_campaigns.field.from",
        "to": "console_campaigns.field.to",
    }
    | {f"text_{number}": "console_campaigns.field.text" for number in STEPS}
    | {f"delay_{number}": "console_campaigns.field.delay" for number in STEPS}
    | {
        variants_form.name_of(step, variant, part): f"console_campaigns.variant.{label}"
        for step in STEPS
        for variant in variants_form.NUMBERS
        for part, label in (("name", "name"), ("text", "title"), ("weight", "weight"))
    },
    field_of=_field_of,
    by_code={
        "account_not_yours": "account_id",
        "account_not_found": "account_id",
        "contact_not_found": "contact_ids",
        "segment_not_found": "segment_id",
    },
)
CHECK: Final = form_errors.Form(
    "campaign",
    labels={"note": "console_campaigns.check.note"},
    field_of=lambda path: "note" if path == "lawful_basis" else path,
    by_code={"end_date_not_accepted": "accept_end_date"},
)

SIMULATION: Final = form_errors.Form(
    "campaign",
    labels={name: f"console_campaigns.simulation.{name}" for name in ("reply_rate", "found_rate")},
)


def typed() -> dict[str, Any]:
    """The form as it was typed, for showing it again. Raises Invalid for text that cannot be stored."""
    bodies.check_pairs(request.form.items(multi=True))
    return request.form.to_dict() | {"day": request.form.getlist("day"), "tags": request.form.getlist("tags")}


def given(
    present: Sequence[CampaignStep],
    *,
    is_draft: bool,
    is_scheduled: bool = False,
    contact_filter: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """A campaign as the API takes it; of one that was launched only what can still change.

    A step keeps the variants that `present` has of it, and the audience its `contact_filter` unless that was taken out:
    the form does not show what is in them. Raises Invalid.
    """
    written = typed()
    values: dict[str, Any] = {
        "name": written.get("name", "").strip(),
        "steps": _steps(written, present),
        "window": _window(written),
        "add_to_contacts": "add_to_contacts" in written,
    }
    if is_draft:
        values |= {
            "audience": {
                "contact_ids": _ids(written.get("contact_ids", "")),
                "tags": written["tags"],
                "segment_id": written.get("segment_id") or None,
                "filter": contact_filter if "filter" in written else None,
            },
            "account_id": written.get("account_id") or None,
            "purpose": written.get("purpose") or "marketing",
        }
    if is_draft or is_scheduled:
        values["scheduled_at"] = _moment(written.get("scheduled_at", ""))
    return values


def of_campaign(campaign: Campaign, steps: Sequence[CampaignStep]) -> dict[str, Any]:
    """What the form of a campaign begins with."""
    audience, window = campaign.audience, campaign.window or {}
    local = campaign.scheduled_at.astimezone(pages.zone()) if campaign.scheduled_at else None
    values: dict[str, Any] = {
        "name": campaign.name,
        "account_id": str(campaign.sender_id or ""),
        "purpose": campaign.purpose,
        "tags": audience.get("tags", []),
        "segment_id": str(audience.get("segment_id", "")),
        "contact_ids": ", ".join(str(contact_id) for contact_id in audience.get("contact_ids", ())),
        "day": [str(day) for day in window.get("days", ())],
        "from": window.get("from", ""),
        "to": window.get("to", "").replace("24:00", "00:00"),
        "scheduled_at": local.strftime("%Y-%m-%dT%H:%M") if local else "",
    }
    if campaign.add_to_contacts:
        values["add_to_contacts"] = "on"
    if audience.get("filter"):
        values["filter"] = "on"
    for step in steps:
        values |= {f"text_{step.position}": step.template, f"delay_{step.position}": str(step.delay_days or "")}
        values |= variants_form.of_step(step)
    return values


def _steps(written: dict[str, Any], present: Sequence[CampaignStep]) -> list[dict[str, Any]]:
    """The steps up to the last in which something stands: one left empty between two others is refused."""
    last = max((number for number in STEPS if written.get(f"text_{number}", "").strip()), default=1)
    listed = []
    for number in range(1, last + 1):
        text = written.get(f"text_{number}", "").replace("\r\n", "\n").strip()
        if not text:
            raise Invalid.of(f"steps.{number - 1}.template", "missing", "This is needed.")
        delay = written.get(f"delay_{number}", "").strip() if number > 1 else "0"
        if variants_form.is_shown(written, number):
            variants = variants_form.given(written, number)
        else:
            variants = present[number - 1].variants if number <= len(present) else []
        listed.append({"template": text, "delay_days": delay or "1", "variants": variants})
    return listed


def _window(written: dict[str, Any]) -> dict[str, Any] | None:
    """The days and hours; None without any, which is any time."""
    start, end = written.get("from", "").strip(), written.get("to", "").strip()
    if not (written["day"] or start or end):
        return None
    return {"days": written["day"] or list(range(7)), "from": start or "00:00", "to": end or "00:00"}


def _ids(text: str) -> list[int]:
    parts = [part for part in re.split(r"[\s,;]+", text) if part]
    if any(not (part.isascii() and part.isdigit() and len(part) < 16) for part in parts):
        raise Invalid.of("audience.contact_ids", "bad_numbers", "Numbers of contacts, with commas between them.")
    return [int(part) for part in parts]


def _moment(text: str) -> datetime | None:
    if not text.strip():
        return None
    try:
        return datetime.fromisoformat(text.strip()).replace(tzinfo=pages.zone())
    except ValueError:
        raise Invalid.of_fields([field_error("scheduled_at", "bad_moment", "Not a date and time.")]) from None
