"""Stored files: uploads and attachments."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Index, UniqueConstraint
from sqlalchemy.orm import Mapped

from backend.core.database import Base, HasId, Tenant, within_workspace


class StoredFile(HasId, Tenant, Base):
    """A file in the storage; `mime` is what its first bytes say it is, not what the uploader claimed."""

    __tablename__ = "files"

    key: Mapped[str]
    filename: Mapped[str]
    mime: Mapped[str]
    size: Mapped[int]
    sha256: Mapped[str]
    user_id: Mapped[int | None]
    created_at: Mapped[datetime]

    __table_args__ = (
        UniqueConstraint("workspace_id", "id"),
        UniqueConstraint("key"),
        Index("ix_files_size", "workspace_id", "size"),
        within_workspace("user_id", "users", ondelete="SET NULL"),
    )
