"""Encrypting everything again under the first key, in batches, each committed: it can stop and go on anywhere."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Column, ColumnElement, Table, func, literal, select, update

from backend.core.crypto import DecryptionFailed
from backend.core.database import Base, db, system_scope
from backend.core.encrypted_columns import keyring
from backend.core.logging import get_logger
from backend.services.auth import audit
from backend.services.auth.attribution import COMMAND_LINE
from backend.services.intake.event_store import row_name

log = get_logger(__name__)

_SUFFIX: Final = "_encrypted"


@dataclass(frozen=True, slots=True)
class Step:
    """One batch: how many values were encrypted again, and how many no listed key opens."""

    table: str
    column: str
    rotated: int
    unreadable: int


def columns() -> list[tuple[Table, Column[Any]]]:
    """Every encrypted column of the models."""
    return [
        (table, column)
        for table in Base.metadata.sorted_tables
        for column in table.columns
        if column.name.endswith(_SUFFIX)
    ]


def outstanding() -> dict[str, int]:
    """How many values are not under the first key yet, by `table.column`."""
    with system_scope("keys serve the whole instance"):
        return {f"{table.name}.{column.name}": _outstanding(table, column) for table, column in columns()}


def rotate(batch: int = 500) -> Iterator[Step]:
    """Works through all columns and commits after each batch. A value that no key opens is logged and left."""
    for table, column in columns():
        last = 0
        while True:
            with system_scope("keys serve the whole instance"):
                if last == 0 and _outstanding(table, column):
                    audit.record(COMMAND_LINE, "keys.rotated", f"column:{table.name}.{column.name}")
                step, last = _rotate_batch(table, column, last, batch)
                db.session.commit()
            if step is None:
                break
            yield step


def _rotate_batch(table: Table, column: Column[Any], after: int, batch: int) -> tuple[Step | None, int]:
    query = select(table).where(table.c.id > after, _is_old(column)).order_by(table.c.id).limit(batch).with_for_update()
    rows = db.session.execute(query).all()
    if not rows:
        return None, after
    rotated = unreadable = 0
    for row in rows:
        values = row._mapping
        place = {"table": table.name, "column": column.name, "row": _bound_to(table, values)}
        try:
            plain = keyring().decrypt(values[column.name], **place)
        except DecryptionFailed:
            unreadable += 1
            log.error("value_unreadable", table=table.name, column=column.name, row=values["id"])
            continue
        ciphertext = keyring().encrypt(plain, **place)
        db.session.execute(update(table).where(table.c.id == values["id"]).values({column.name: ciphertext}))
        rotated += 1
    return Step(table.name, column.name, rotated, unreadable), rows[-1]._mapping["id"]


def _outstanding(table: Table, column: Column[Any]) -> int:
    return db.session.execute(select(func.count()).select_from(table).where(_is_old(column))).scalar_one()


def _is_old(column: Column[Any]) -> ColumnElement[bool]:
    prefix = keyring().current_prefix
    return column.is_not(None) & (func.substring(column, 1, len(prefix)) != literal(prefix))


def _bound_to(table: Table, values: Any) -> str:
    # Bodies are encrypted by the statement that also assigns the id, so they are bound to what is known before.
    if table.name == "webhook_events":
        return row_name(values["sender_id"], bytes(values["key"]))
    return str(values["id"])
