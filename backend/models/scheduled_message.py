"""Scheduled messages: what a bot says to some chats by a schedule."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import UniqueConstraint
from sqlalchemy.orm import Mapped

from backend.core.database import Base, HasId, Tenant
from backend.core.sealed import Sealed


class ScheduledMessage(HasId, Tenant, Base):
    """A text, the bot that says it (None: the default bot), and its chats (None: the bot's own).

    When it is said stands in the schedule of job `scheduled_message` that has it as its subject.
    """

    __tablename__ = "scheduled_messages"

    bot_name: Mapped[str | None]
    chat_ids_encrypted: Mapped[bytes | None]
    """A JSON list, as chats of persons are among them."""
    message: Mapped[str]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]

    chat_list = Sealed[str | None]("chat_ids_encrypted")

    __table_args__ = (UniqueConstraint("workspace_id", "id"),)
