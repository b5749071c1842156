"""Files of contacts for the tests of imports, and what such a test compares."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import func, select, text

from backend.core.database import db, system_scope
from backend.models import (
    ContactImport,
)

Contacts = Callable[[], list[dict[str, Any]]]
HEADER = "First name,Last name,Company,Phone,Email,Tags\n"
_STATE = ("contacts", "contact_points", "contact_tags", "tags")


def number(value: int) -> str:
    return f"+8210200{value:05d}"


def people(count: int, first: int = 0) -> bytes:
    lines = [f"P{n},Q{n},Firm,{number(n)},p{n}@example.com,batch" for n in range(first, first + count)]
    return (HEADER + "\n".join(lines) + "\n").encode()


def snapshot() -> dict[str, list[Any]]:
    """Everything an undo has to put back, column by column."""
    with system_scope("a test compares"):
        return {
            name: [tuple(row) for row in db.session.execute(text(f"SELECT * FROM {name} t ORDER BY t::text"))]
            for name in _STATE
        }


def count(model: type[Any]) -> int:
    return int(db.session.scalar(select(func.count()).select_from(model)) or 0)


def report(job: ContactImport) -> dict[str, Any]:
    assert job.report is not None
    return job.report


def codes(job: ContactImport, kind: str = "errors") -> list[str]:
    return [issue["code"] for issue in report(job)[kind]]


# --- check and run ---------------------------------------------------------------------------------------------
