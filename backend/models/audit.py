"""Who did what."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from backend.core.database import Base


class AuditEntry(Base):
    """Who did what, written in the transaction that did it; a trigger refuses changes to it."""

    __tablename__ = "audit_entries"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    workspace_id: Mapped[int | None] = mapped_column(ForeignKey("workspaces.id", ondelete="NO ACTION"))
    actor: Mapped[str]
    """`user:<id>`, `token:<id>`, `cli`, `telegram` (a button or command), `system`."""
    action: Mapped[str]
    subject: Mapped[str | None]
    detail: Mapped[dict[str, Any]] = mapped_column(default=dict, server_default=text("'{}'::jsonb"))
    at: Mapped[datetime]

    __table_args__ = (Index("ix_audit_entries_workspace_id", "workspace_id", "id"),)
