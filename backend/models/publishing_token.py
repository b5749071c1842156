"""What a token of the environment may do: whether posts may be published with it."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from backend.core.database import Base


class PublishingToken(Base):
    """The permissions of a token, as its provider tells, by the token's keyed hash. `scopes` is None where the provider
    did not tell; at `ask_at` it is asked again. The instance's own, so no tenant's."""

    __tablename__ = "publishing_tokens"

    token_hash: Mapped[bytes] = mapped_column(primary_key=True)
    scopes: Mapped[list[str] | None] = mapped_column(JSONB(none_as_null=True))
    ask_at: Mapped[datetime]
