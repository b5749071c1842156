"""A rule's content: text with placeholders that each run fills in. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Final

from babel.dates import format_date

from backend.core.i18n import negotiate

NAMES: Final = ("date", "time", "weekday", "rule", "run")
"""`{date}` and `{time}` are local where the rule's schedule is, `{weekday}` is in the person's language, `{run}` counts
the rule's runs from 1. `{{` and `}}` are braces."""
_TOKEN: Final = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")


def problem(template: str) -> str | None:
    """What keeps a text from being a template, in words; None for one that is fine."""
    for match in _TOKEN.finditer(template):
        name = match.group(1)
        if name is None and match.group() in "{}":
            return f"A brace stands alone at character {match.start() + 1}; write it twice."
        if name is not None and name not in NAMES:
            variables = ", ".join(f"{{{variable}}}" for variable in NAMES)
            return f"Character {match.start() + 1}: there are only {variables}."
    return None


def values(at: datetime, rule: str, run: int, locale: str) -> dict[str, str]:
    """What the placeholders stand for; `at` is the local time of the run."""
    weekday = format_date(at.date(), "EEEE", locale=negotiate(locale))
    return {"date": f"{at:%Y-%m-%d}", "time": f"{at:%H:%M}", "weekday": weekday, "rule": rule, "run": str(run)}


def fill(template: str, values_by_name: Mapping[str, str]) -> str:
    """The template with its placeholders filled in."""

    def shown(match: re.Match[str]) -> str:
        return values_by_name[match.group(1)] if match.group(1) is not None else match.group()[0]

    return _TOKEN.sub(shown, template)
