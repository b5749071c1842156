"""Consents: append-only."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Index, text
from sqlalchemy.orm import Mapped, mapped_column

from backend.core.database import Base, HasId, Tenant


class Consent(HasId, Tenant, Base):
    """What a contact agreed to or withdrew; the newest of a channel and purpose counts. A trigger refuses changes.

    `contact_id` is no foreign key: an entry outlives its contact, and holds nothing that names a person.
    """

    __tablename__ = "consents"

    contact_id: Mapped[int]
    channel: Mapped[str]
    purpose: Mapped[str]
    """`marketing`, `service`, `event` or `other`."""
    basis: Mapped[str]
    """`consent`, `soft_opt_in`, `contract` or `legitimate_interest`."""
    state: Mapped[str]
    """`given`, `withdrawn` or `expired`."""
    source: Mapped[str]
    """`form`, `import`, `bot_link`, `chat`, `event`, `paper` or `api`."""
    source_detail: Mapped[str | None]
    wording: Mapped[str | None]
    """What the person agreed to, word by word."""
    evidence: Mapped[str | None]
    """Where the proof is kept."""
    night_ok: Mapped[bool] = mapped_column(default=False, server_default=text("false"))
    obtained_at: Mapped[datetime]
    obtained_by: Mapped[str | None]
    recorded_at: Mapped[datetime]
    recorded_by: Mapped[str]
    expires_at: Mapped[datetime | None]
    import_id: Mapped[int | None]
    """The import that recorded it; no foreign key, as it outlives the import."""

    __table_args__ = (
        Index("ix_consents_contact_id", "workspace_id", "contact_id", "id"),
        Index("ix_consents_import_id", "import_id", "id", postgresql_where=text("import_id IS NOT NULL")),
    )
