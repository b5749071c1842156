"""Imports of contacts: a file, how it is read, how far it got, and what undoing it needs."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from sqlalchemy import Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from backend.core.database import Base, HasId, Tenant, within_workspace
from backend.core.encrypted_columns import Encrypted

_LIST = text("'[]'::jsonb")
_EMPTY = text("'{}'::jsonb")


class ContactImport(HasId, Tenant, Base):
    """A file of contacts on its way in.

    `task` is what is to be done next (`read`, `check`, `run`, `undo`, `clean`), due at `due_at`; whoever does it moves
    that moment on with each batch, and `claim` fences off a process that was given up.
    """

    __tablename__ = "contact_imports"

    user_id: Mapped[int | None]
    actor: Mapped[str]
    state: Mapped[str]
    """`reading`, `mapping`, `checked`, `running`, `done`, `failed`, `canceled` or `undone`."""
    task: Mapped[str | None]
    due_at: Mapped[datetime]
    claim: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    tries: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    """Claims since the last batch that was committed."""
    cancel_requested: Mapped[bool] = mapped_column(default=False, server_default=text("false"))
    error: Mapped[str | None]
    file_id: Mapped[int | None]
    file_key: Mapped[str | None]
    """Where the file lies that came with the call; empty once it was removed."""
    filename: Mapped[str]
    size: Mapped[int]
    format: Mapped[str | None]
    """`csv`, `xlsx` or `vcard`."""
    encoding: Mapped[str | None]
    delimiter: Mapped[str | None]
    header_row: Mapped[int | None]
    header_hash: Mapped[bytes | None]
    """Keyed hash of the column names, under which a mapping is remembered."""
    columns_encrypted: Mapped[bytes | None]
    mapping: Mapped[dict[str, Any]] = mapped_column(default=dict, server_default=_EMPTY)
    region: Mapped[str | None]
    mode: Mapped[str] = mapped_column(default="both", server_default="both")
    update_by: Mapped[list[Any]] = mapped_column(
        default=lambda: ["phone", "email", "telegram_username"],
        server_default=text("""'["phone", "email", "telegram_username"]'::jsonb"""),
    )
    overwrite: Mapped[bool] = mapped_column(default=False, server_default=text("false"))
    tags: Mapped[list[Any]] = mapped_column(default=list, server_default=_LIST)
    rows_total: Mapped[int | None]
    rows_done: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    counts: Mapped[dict[str, Any]] = mapped_column(default=dict, server_default=_EMPTY)
    report_encrypted: Mapped[bytes | None]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    run_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    undo_until: Mapped[datetime | None]

    columns_json = Encrypted[str | None]("columns_encrypted")
    report_json = Encrypted[str | None]("report_encrypted")

    __table_args__ = (
        UniqueConstraint("workspace_id", "id"),
        within_workspace("user_id", "users", ondelete="SET NULL"),
        within_workspace("file_id", "files", ondelete="SET NULL"),
        Index("ix_contact_imports_workspace_id", "workspace_id", "id"),
        Index("ix_contact_imports_due", "due_at", postgresql_where=text("task IS NOT NULL")),
        Index("ix_contact_imports_header_hash", "workspace_id", "header_hash", "id"),
        Index("ix_contact_imports_created_at", "created_at"),
    )

    @property
    def columns(self) -> list[dict[str, Any]]:
        """The file's columns: name, three samples, the field that was guessed."""
        return json.loads(self.columns_json) if self.columns_json else []

    @property
    def report(self) -> dict[str, Any] | None:
        """What the check found, or the run did."""
        return json.loads(self.report_json) if self.report_json else None


class ContactImportChange(HasId, Tenant, Base):
    """What an import did to one contact: the row as it was and as it became, and what was added to it."""

    __tablename__ = "contact_import_changes"

    import_id: Mapped[int]
    contact_id: Mapped[int]
    created: Mapped[bool]
    before: Mapped[dict[str, Any]]
    """By column of the contact, what the import changed it from; `{}` for one that it made."""
    after: Mapped[dict[str, Any]]
    point_ids: Mapped[list[Any]] = mapped_column(default=list, server_default=_LIST)
    """Points that it added."""
    primaries: Mapped[dict[str, Any]] = mapped_column(default=dict, server_default=_EMPTY)
    """By kind: the point that was primary before, where it made another one so."""
    tag_ids: Mapped[list[Any]] = mapped_column(default=list, server_default=_LIST)
    created_at: Mapped[datetime]

    __table_args__ = (
        within_workspace("import_id", "contact_imports"),
        within_workspace("contact_id", "contacts"),
        Index("ix_contact_import_changes_import_id", "import_id", "id"),
        Index("ix_contact_import_changes_contact_id", "contact_id"),
        Index("ix_contact_import_changes_created_at", "created_at"),
    )
