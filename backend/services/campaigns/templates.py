"""What a campaign says: a text with a contact's fields, checked once, and filled in for each recipient. Pure.

The form is that of all templates of a workspace (`services.texts.templates`): `{name}` or `{name|default}`, no paths,
no attributes, no format specs. A name without a default has to have a value for every recipient who gets the text.
"""

from __future__ import annotations

import hmac
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

from backend.core.errors import Invalid
from backend.services.texts import templates as texts
from backend.services.texts.templates import Problem

CONTACT_FIELDS: Final = (
    "first_name", "last_name", "company", "title", "email", "phone", "telegram_username", "locale", "region", "source",
)  # fmt: skip
UNSUBSCRIBE: Final = "unsubscribe_link"
"""The address at which the reader of the message takes back what they agreed to."""
MAX_VARIANTS: Final = 5
_CUSTOM: Final = "fields."


def problems(template: str, custom_fields: Collection[str]) -> list[Problem]:
    """Everything that keeps a text from being a template of a campaign, in the order of the text."""
    faults = texts.problems(template)
    for placeholder, at in texts.placeholders(template):
        if not is_known(placeholder.path, custom_fields):
            message = f"There is no field {placeholder.path[:80]}."
            faults.append(texts.problem_at("unknown_field", message, template, at))
    return sorted(faults, key=lambda problem: (problem.line, problem.column))


def check(template: str, custom_fields: Collection[str], field: str) -> None:
    """Raises Invalid (template_invalid) with line, column and what is wrong, for each place of a field of a request."""
    faults = problems(template, custom_fields)
    if not faults:
        return
    detail = [
        {
            "field": field,
            "code": "template_invalid",
            "problem": problem.code,
            "message": problem.message,
            "line": problem.line,
            "column": problem.column,
        }
        for problem in faults
    ]
    raise Invalid("template_invalid", f"The template cannot be used: {faults[0].message}", detail=detail)


def is_known(path: str, custom_fields: Collection[str]) -> bool:
    """Whether a placeholder names something that a contact may have."""
    return path in CONTACT_FIELDS or path == UNSUBSCRIBE or path.removeprefix(_CUSTOM) in custom_fields


def names(template: str) -> list[str]:
    """The names that a valid template reads, each once, without those of the product itself."""
    return [path.removeprefix(_CUSTOM) for path in texts.placeholder_paths(template) if path != UNSUBSCRIBE]


def required(template: str) -> list[str]:
    """The names without a default: each recipient needs a value for them."""
    wanted = [
        placeholder.path.removeprefix(_CUSTOM)
        for placeholder, _ in texts.placeholders(template)
        if not placeholder.has_default and placeholder.path != UNSUBSCRIBE
    ]
    return list(dict.fromkeys(wanted))


def missing(template: str, values: Mapping[str, Any]) -> list[str]:
    """The names that have neither a value nor a default."""
    return [name for name in required(template) if not texts.has_value(values, name)]


def render(template: str, values: Mapping[str, Any], *, unsubscribe_url: str) -> str:
    """The neutral rich text for one recipient; what is filled in is escaped. Never raises."""
    data = {**values, "fields": values, UNSUBSCRIBE: unsubscribe_url}
    return texts.render(template, data)


@dataclass(frozen=True, slots=True)
class Variant:
    """One of several texts of a step: its part of the recipients is `weight` over the sum of the weights."""

    name: str
    weight: int = 1
    is_on: bool = True


def variant_of(key: bytes, campaign_id: int, contact_id: int, variants: Sequence[Variant]) -> str | None:
    """The variant that a contact gets in every step of a campaign; the same each time it is asked.

    One that was switched off passes its recipients on to the others.
    """
    offered = [variant for variant in variants if variant.is_on and variant.weight > 0]
    if not offered:
        return None
    drawn = hmac.digest(key, f"{campaign_id}:{contact_id}".encode(), sha256)
    place = int.from_bytes(drawn[:8]) % sum(variant.weight for variant in offered)
    for variant in offered:
        place -= variant.weight
        if place < 0:
            return variant.name
    raise AssertionError("the weights add up")
