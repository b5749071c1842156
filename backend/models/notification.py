"""Notifications: the events that were reported, what was decided, and what each person wants."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from backend.core.database import Base, HasId, Tenant, within_workspace


class NotificationEvent(HasId, Tenant, Base):
    """One event and the decision taken on it: `queued`, `deferred` or `suppressed`, with the reason."""

    __tablename__ = "notification_events"

    type: Mapped[str]
    user_id: Mapped[int]
    data: Mapped[dict[str, Any]]
    subject: Mapped[str | None]
    version: Mapped[int | None]
    critical: Mapped[bool] = mapped_column(default=False, server_default=text("false"))
    attachment: Mapped[dict[str, Any] | None]
    decision: Mapped[str]
    reason: Mapped[str | None]
    message_id: Mapped[int | None]
    actor: Mapped[str]
    """Who reported it: `user:<id>`, `token:<id>`, `python`."""
    created_at: Mapped[datetime]

    __table_args__ = (
        UniqueConstraint("workspace_id", "id"),
        within_workspace("user_id", "users"),
        within_workspace("message_id", "messages", ondelete="SET NULL"),
        Index("ix_notification_events_user_id", "user_id", "id"),
        Index("ix_notification_events_workspace_id", "workspace_id", "id"),
        Index("ix_notification_events_type", "workspace_id", "type", "id"),
        Index("ix_notification_events_decision", "workspace_id", "decision", "id"),
        Index("ix_notification_events_message_id", "message_id", "id"),
        # The few whose attachment is still to be fetched.
        Index("ix_notification_events_fetching", "id", postgresql_where=text("attachment ->> 'state' = 'waiting'")),
    )


class NotificationSubject(HasId, Tenant, Base):
    """The living message of a person and subject: later events edit it, older versions are stale."""

    __tablename__ = "notification_subjects"

    user_id: Mapped[int]
    subject: Mapped[str]
    version: Mapped[int | None]
    message_id: Mapped[int | None]
    updated_at: Mapped[datetime]

    __table_args__ = (
        UniqueConstraint("workspace_id", "user_id", "subject"),
        within_workspace("user_id", "users"),
        within_workspace("message_id", "messages", ondelete="SET NULL"),
    )


class NotificationType(HasId, Tenant, Base):
    """A type that a workspace defines, with its templates by locale: `{"en": "…", "ko": "…"}`."""

    __tablename__ = "notification_types"

    name: Mapped[str]
    title: Mapped[str]
    templates: Mapped[dict[str, Any]]
    button_label: Mapped[str | None]
    button_url: Mapped[str | None]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]

    __table_args__ = (UniqueConstraint("workspace_id", "name"), UniqueConstraint("workspace_id", "id"))


class NotificationSettings(Tenant, Base):
    """What a person wants: `types` holds only what they switched; quiet hours are local times."""

    __tablename__ = "notification_settings"

    user_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    daily_summary_at: Mapped[str] = mapped_column(default="09:00", server_default="09:00")
    daily_summary_when_empty: Mapped[bool] = mapped_column(default=False, server_default=text("false"))
    """Whether a day without posts is told of too."""
    quiet_start: Mapped[str | None]
    quiet_end: Mapped[str | None]
    types: Mapped[dict[str, Any]] = mapped_column(default=dict, server_default=text("'{}'::jsonb"))
    updated_at: Mapped[datetime]

    __table_args__ = (within_workspace("user_id", "users"),)
