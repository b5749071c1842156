"""What keeps given values from being stored, as the list of faults that a 422 shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from backend.core.errors import field_error
from backend.services.alerts.rules import matchers
from backend.services.alerts.rules.matchers import Matcher

_WORDS = {
    "unknown_operator": "One of =, !=, =~, !~.",
    "bad_pattern": "Not a regular expression of RE2's syntax, which has no look-around and no references back.",
    "pattern_too_large": "This pattern is too large; repeat less, or write it shorter.",
    "patterns_too_large": "These patterns are too large together; make rules of their own.",
}


def matcher_faults(rows: Sequence[Mapping[str, str]], *, may_be_empty: bool = False) -> list[dict[str, Any]]:
    """The faults of a list of matchers. A list that would match everything is one, unless it may be empty."""
    if not rows:
        return [] if may_be_empty else [field_error("matchers", "no_matchers", "At least one matcher.")]
    if len(rows) > matchers.MAX_MATCHERS:
        return [field_error("matchers", "too_many_matchers", f"At most {matchers.MAX_MATCHERS} matchers.")]
    faults = []
    for index, row in enumerate(rows):
        code = matchers.problem(Matcher(row["label"], row["op"], row["value"]))
        if code is not None:
            faults.append(field_error(f"matchers.{index}", code, _WORDS[code]))
    if not faults and matchers.size_of(matchers.read(rows)) > matchers.MAX_SIZE:
        faults.append(field_error("matchers", "patterns_too_large", _WORDS["patterns_too_large"]))
    if not faults and not may_be_empty and matchers.matches(matchers.read(rows), {}):
        message = "These matchers also match what has no labels at all; add one that asks for a value."
        faults.append(field_error("matchers", "matches_everything", message))
    return faults
