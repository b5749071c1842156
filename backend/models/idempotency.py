"""Answers to requests that may be sent again."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Index, SmallInteger, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from backend.core.database import Base, HasId, Tenant
from backend.core.encrypted_columns import EncryptedJson


class IdempotencyKey(HasId, Tenant, Base):
    """The answer to a request that carried an `Idempotency-Key`, kept 24 hours, with secrets left out."""

    __tablename__ = "idempotency_keys"

    actor: Mapped[str]
    route: Mapped[str]
    key: Mapped[str]
    request_hash: Mapped[bytes]
    status: Mapped[int | None] = mapped_column(SmallInteger)
    answer_plain: Mapped[dict[str, Any] | None] = mapped_column("answer")
    """What an earlier release wrote."""
    answer_encrypted: Mapped[bytes | None]
    answer = EncryptedJson("answer_encrypted", plain="answer_plain")
    """`{"body": …}`; empty until the request has ended."""
    created_at: Mapped[datetime]

    __table_args__ = (
        UniqueConstraint("workspace_id", "actor", "route", "key"),
        Index("ix_idempotency_keys_created_at", "created_at"),
    )
