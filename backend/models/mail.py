"""E-mails that wait to be sent, and what became of those that were."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Index, SmallInteger, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from backend.core.database import Base, HasId, Tenant
from backend.core.encrypted_columns import Encrypted


class Mail(HasId, Tenant, Base):
    """One e-mail to one address. States: `waiting` (until `due_at`), `sent`, `failed` (`error` says why).

    What it says may hold a link that opens an account: it is encrypted, and goes when the mail is sent or given up.
    """

    __tablename__ = "mails"

    key: Mapped[str | None]
    """The same key in a workspace is the same mail."""
    kind: Mapped[str]
    recipient_encrypted: Mapped[bytes | None]
    subject_encrypted: Mapped[bytes | None]
    body_encrypted: Mapped[bytes | None]
    state: Mapped[str] = mapped_column(default="waiting")
    attempts: Mapped[int] = mapped_column(SmallInteger, default=0)
    error: Mapped[str | None]
    due_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    created_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]

    recipient = Encrypted[str | None]("recipient_encrypted")
    subject = Encrypted[str | None]("subject_encrypted")
    body = Encrypted[str | None]("body_encrypted")

    __table_args__ = (
        UniqueConstraint("workspace_id", "key"),
        Index("ix_mails_due_at", "due_at", postgresql_where=text("state = 'waiting'")),
        Index("ix_mails_created_at", "created_at"),
    )
