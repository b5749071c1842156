"""Live events: what has changed of late, for the connections that watch; kept for about an hour."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Identity, text
from sqlalchemy.dialects.postgresql.base import ischema_names
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import UserDefinedType

from backend.core.database import Base, HasId


class Xid8(UserDefinedType[str]):
    """PostgreSQL's 64-bit transaction id, as text."""

    cache_ok = True

    def get_col_spec(self, **_options: Any) -> str:
        """The type's name."""
        return "xid8"


ischema_names["xid8"] = Xid8


class LiveEvent(Base):
    """One thing that changed: ids only, no content.

    Rows are found by the transaction that wrote them and not by their order, for ids commit out of order. There are no
    foreign keys: the row is written in the hottest transactions and is gone in an hour, and whoever asks for what it
    names is told whether that still exists.
    """

    __tablename__ = "live_events"

    xid: Mapped[str] = mapped_column(Xid8, server_default=text("pg_current_xact_id()"), primary_key=True)
    id: Mapped[int] = mapped_column(Identity(always=False), primary_key=True)
    workspace_id: Mapped[int]
    topic: Mapped[str]
    only_for: Mapped[int | None]
    """The one person who may hear of it; None for everybody in the workspace."""
    ids: Mapped[dict[str, Any]]
    at: Mapped[datetime]


class LiveMark(HasId, Base):
    """What was committed at a moment: events are deleted by the newest mark that is old enough.

    A cursor that does not include everything a `used` mark includes may have missed what was deleted.
    """

    __tablename__ = "live_marks"

    snapshot: Mapped[str]
    at: Mapped[datetime]
    used: Mapped[bool] = mapped_column(default=False, server_default=text("false"))
