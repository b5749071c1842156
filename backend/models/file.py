"""Stored files, and the fetching of those that are somewhere else."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, SmallInteger, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from backend.core.database import Base, HasId, Tenant, within_workspace
from backend.core.encrypted_columns import Encrypted


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


class FileFetch(HasId, Tenant, Base):
    """One file that something of the workspace (`owner_kind`, `owner_id`) waits for, and how far its fetching got.

    It is live while `ended_at` is empty: due at `due_at`, which is moved on while a process is at it. The source is
    cleared at the end.
    """

    __tablename__ = "file_fetches"

    owner_kind: Mapped[str]
    """What waits, as the feature that asked names it: `notification_event`, `alert`, `schedule_fire`, `post`."""
    owner_id: Mapped[int]
    slot: Mapped[int] = mapped_column(SmallInteger, default=0, server_default=text("0"))
    """Which of the owner's files, where it has several."""
    kind: Mapped[str]
    """`photo` or `document`: it decides what is accepted."""
    source_kind: Mapped[str]
    """`url` (an address), or `provider` (a file id of the provider that `sender_id` belongs to)."""
    source_encrypted: Mapped[bytes | None]
    sender_id: Mapped[int | None] = mapped_column(ForeignKey("senders.id", ondelete="SET NULL"))
    state: Mapped[str] = mapped_column(default="waiting", server_default="waiting")
    """`waiting`, then `stored`, `failed` or `canceled`."""
    tries: Mapped[int] = mapped_column(SmallInteger, default=0, server_default=text("0"))
    max_tries: Mapped[int] = mapped_column(SmallInteger)
    due_at: Mapped[datetime]
    error: Mapped[str | None]
    """The code of the last try that failed."""
    file_id: Mapped[int | None]
    created_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]

    source = Encrypted[str | None]("source_encrypted")

    __table_args__ = (
        UniqueConstraint("workspace_id", "id"),
        within_workspace("file_id", "files", ondelete="SET NULL"),
        CheckConstraint("state IN ('waiting', 'stored', 'failed', 'canceled')", name="state"),
        CheckConstraint("source_kind IN ('url', 'provider')", name="source_kind"),
        CheckConstraint("(state = 'waiting') = (ended_at IS NULL)", name="ended"),
        Index("ix_file_fetches_due", "workspace_id", "due_at", "id", postgresql_where=text("ended_at IS NULL")),
        Index(
            "uq_file_fetches_live",
            "workspace_id",
            "owner_kind",
            "owner_id",
            "slot",
            unique=True,
            postgresql_where=text("ended_at IS NULL"),
        ),
        # What the foreign keys clear is found by them.
        Index("ix_file_fetches_file", "workspace_id", "file_id", postgresql_where=text("file_id IS NOT NULL")),
        Index("ix_file_fetches_sender", "sender_id", postgresql_where=text("sender_id IS NOT NULL")),
        Index("ix_file_fetches_ended", "ended_at", postgresql_where=text("ended_at IS NOT NULL")),
    )
