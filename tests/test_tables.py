"""Every table is decided about: docs/privacy.md says what it holds of people and for how long, as retention does it."""

from __future__ import annotations

import re
from pathlib import Path

import backend.models  # noqa: F401 - registers the tables
from backend.core.database import Base
from backend.services.housekeeping.retention import RULES

PRIVACY = (Path(__file__).resolve().parents[1] / "docs" / "privacy.md").read_text()
ROW = re.compile(r"^\| `(\w+)` \| (.+) \| (.+) \|$", re.MULTILINE)


def described() -> dict[str, tuple[str, str]]:
    """The rows of "The tables": a table's name, what it says of people, how long it is kept."""
    section = PRIVACY.partition("## The tables")[2].partition("\n## ")[0]
    return {name: (people, kept) for name, people, kept in ROW.findall(section)}


def kept_by_retention() -> dict[str, set[int]]:
    """The days after which retention touches a table, by its name."""
    days: dict[str, set[int]] = {}
    for _, age, statement in RULES:
        touched = re.match(r"(?:DELETE FROM|UPDATE) (\w+)", statement)
        assert touched, statement
        days.setdefault(touched[1], set()).add(age.days)
    return days


def test_every_table_stands_in_the_privacy_page() -> None:
    assert sorted(described()) == sorted(Base.metadata.tables)


def test_a_table_with_a_retention_rule_names_its_days() -> None:
    for table, days in kept_by_retention().items():
        kept = described()[table][1]
        for number in days:
            assert (f"{number} days" if number > 1 else "24 hours") in kept, (table, kept)


def test_a_page_that_names_days_has_a_rule_for_them() -> None:
    named = {table for table, (_, kept) in described().items() if re.search(r"\d+ (days|hours)", kept)}
    assert named == set(kept_by_retention())


def test_every_encrypted_column_stands_in_the_privacy_page() -> None:
    encrypted = {
        f"`{table.name}.{column.name}`"
        for table in Base.metadata.sorted_tables
        for column in table.columns
        if column.name.endswith("_encrypted")
    }
    missing = sorted(name for name in encrypted if name not in PRIVACY)
    assert not missing
