"""What an import found or did, counted row by row."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from backend.services.contacts.imports.person_rows import Issue

MAX_ISSUES: Final = 500
"""Errors, and warnings, that a report names; it counts all."""
COUNTED: Final = ("rows", "create", "update", "unchanged", "same_person", "skipped", "rejected", "suppressed")


@dataclass
class Report:
    """Counts of rows, and what is wrong with which.

    `create`, `update` and `unchanged` are rows whose person is new, changes, or is known as the row says; `same_person`
    rows are about somebody of an earlier row, `skipped` ones are passed over by the mode, `rejected` ones have no
    identifier of their own. `suppressed` counts, across these, rows whose person must not be written to.
    """

    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(COUNTED, 0))
    errors: list[dict[str, Any]] = field(default_factory=list)
    errors_total: int = 0
    warnings: list[dict[str, Any]] = field(default_factory=list)
    warnings_total: int = 0
    ignored: int = 0
    """Footers below the table."""

    def count(self, name: str) -> None:
        """Counts a row."""
        self.counts[name] += 1

    def add_issues(self, issues: Iterable[Issue]) -> None:
        """Notes what is wrong with a row."""
        for issue in issues:
            shown = {key: value for key, value in asdict(issue).items() if key != "is_error"}
            if issue.is_error:
                self.errors_total += 1
                if len(self.errors) < MAX_ISSUES:
                    self.errors.append(shown)
            else:
                self.warn(shown)

    def warn(self, warning: Mapping[str, Any]) -> None:
        """Notes a warning."""
        self.warnings_total += 1
        if len(self.warnings) < MAX_ISSUES:
            self.warnings.append(dict(warning))

    def warn_of_file(self, code: str, hint: str) -> None:
        """Notes what holds for the whole file, before the warnings of its rows."""
        self.warnings_total += 1
        self.warnings.insert(0, {"line": None, "column": None, "code": code, "value": "", "hint": hint})

    def merge(self, other: Report, *, counts: bool = True) -> None:
        """Adds what another report says; without `counts` only what is wrong with rows."""
        if counts:
            for name, number in other.counts.items():
                self.counts[name] += number
        self.errors += other.errors[: MAX_ISSUES - len(self.errors)]
        self.warnings += other.warnings[: max(0, MAX_ISSUES - len(self.warnings))]
        self.errors_total += other.errors_total
        self.warnings_total += other.warnings_total

    def to_json(self) -> dict[str, Any]:
        """The report as it is answered."""
        return {
            **self.counts,
            "errors": self.errors,
            "errors_total": self.errors_total,
            "warnings": self.warnings,
            "warnings_total": self.warnings_total,
            "ignored": self.ignored,
        }
