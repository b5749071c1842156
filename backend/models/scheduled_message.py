"""Scheduled messages: what a bot says to some chats by a schedule, and the files that are fetched for it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Index, SmallInteger, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from backend.core.database import Base, HasId, Tenant, within_workspace
from backend.core.encrypted_columns import Encrypted


class ScheduledMessage(HasId, Tenant, Base):
    """A text, an alert or a file, the bot that sends it (None: the default one), and its chats (None: the bot's own).

    When it is said stands in the schedule of job `scheduled_message` that has it as its subject.
    """

    __tablename__ = "scheduled_messages"

    bot_name: Mapped[str | None]
    chat_ids_encrypted: Mapped[bytes | None]
    """A JSON list, as chats of persons are among them."""
    message: Mapped[str]
    """The text; of an alert or a file the words that lists show."""
    content: Mapped[dict[str, Any] | None]
    """`{"alert": {…}}`, `{"photo": {…}}` or `{"document": {…}}`, as it was given; None where `message` is all."""
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]

    chat_list = Encrypted[str | None]("chat_ids_encrypted")

    __table_args__ = (UniqueConstraint("workspace_id", "id"),)


class ScheduledFetch(HasId, Tenant, Base):
    """A picture or document that one fire's messages wait for, given as an address; gone once it is settled."""

    __tablename__ = "scheduled_fetches"

    fire_id: Mapped[int]
    kind: Mapped[str]
    """`photo` or `document`."""
    url: Mapped[str]
    caption: Mapped[str]
    tries: Mapped[int] = mapped_column(SmallInteger, default=0, server_default=text("0"))
    due_at: Mapped[datetime]

    __table_args__ = (
        UniqueConstraint("workspace_id", "id"),
        UniqueConstraint("workspace_id", "fire_id"),
        within_workspace("fire_id", "schedule_fires"),
        Index("ix_scheduled_fetches_due", "due_at", "id"),
    )
