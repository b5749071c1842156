"""Alerts: what is wrong, the messages that follow it, silences, and what a workspace wants done about it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Index, SmallInteger, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from backend.core.database import Base, HasId, Tenant, within_workspace
from backend.core.encrypted_columns import Encrypted

_EMPTY_LIST = text("'[]'::jsonb")


class Alert(HasId, Tenant, Base):
    """One message that follows it: everything that fires together, and how far people are with it.

    `state` is `firing`, `acknowledged`, `snoozed` or `resolved`; at most one that is not resolved has a `group_key`.
    `due_at` is the earliest moment at which something happens by itself; the timers read nothing else to find their
    work. Whoever changes an alert or its items holds the lock of this row.
    """

    __tablename__ = "alerts"

    group_key: Mapped[bytes]
    source: Mapped[str]
    """`api`, `python`, `system`, `alertmanager` or `grafana`."""
    bot_name: Mapped[str]
    policy_id: Mapped[int | None]
    severity: Mapped[str]
    title: Mapped[str]
    labels: Mapped[dict[str, Any]] = mapped_column(default=dict, server_default=text("'{}'::jsonb"))
    """What it was grouped by; else what all that fires in it has in common, and of a single item all of its labels."""
    links: Mapped[list[Any]] = mapped_column(default=list, server_default=_EMPTY_LIST)
    """Buttons that open an address: `{"text", "url"}`."""
    attachment: Mapped[dict[str, Any] | None]
    chat_ids_encrypted: Mapped[bytes | None]
    """Chats that the caller named, comma-separated; the bot's own otherwise."""
    more: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    """How many further alerts the sending system left out of its report."""
    state: Mapped[str] = mapped_column(default="firing", server_default="firing")
    opened_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    """When its first trouble began, as the source says; None where it does not say."""
    last_seen_at: Mapped[datetime]
    acknowledged_at: Mapped[datetime | None]
    snoozed_until: Mapped[datetime | None]
    silenced_until: Mapped[datetime | None]
    """Until when all that fires here is silenced, as of the last look."""
    resolved_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    """When the last of it was over, as the source says; None where a person or the clock resolved it."""
    resolved_code: Mapped[str | None]
    """`told` (the source said so), `person`, or `quiet` (nothing was heard of it any more)."""
    by_user_id: Mapped[int | None]
    """Who brought it into its present state; None where nobody did."""
    by_name: Mapped[str | None]
    level: Mapped[str | None]
    """The level that its bot's name was last resolved at."""
    notify_at: Mapped[datetime | None]
    """When what is new in it is told."""
    edit_at: Mapped[datetime | None]
    """When its messages are next brought up to date."""
    edited_at: Mapped[datetime | None]
    parts: Mapped[int] = mapped_column(SmallInteger, default=1, server_default=text("1"))
    """In how many parts it is said at most."""
    notifications: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    """How often it made a sound."""
    first_notified_at: Mapped[datetime | None]
    notified_at: Mapped[datetime | None]
    escalated_at: Mapped[datetime | None]
    undelivered_code: Mapped[str | None]
    undelivered_at: Mapped[datetime | None]
    admins_told_at: Mapped[datetime | None]
    due_at: Mapped[datetime | None]

    chat_ids = Encrypted[str | None]("chat_ids_encrypted")

    __table_args__ = (
        UniqueConstraint("workspace_id", "id"),
        within_workspace("policy_id", "alert_policies", ondelete="SET NULL"),
        within_workspace("by_user_id", "users", ondelete="SET NULL"),
        Index(
            "uq_alerts_open",
            "workspace_id",
            "group_key",
            unique=True,
            postgresql_where=text("resolved_at IS NULL"),
        ),
        Index("ix_alerts_group_key", "workspace_id", "group_key", "id"),
        Index("ix_alerts_workspace_id", "workspace_id", "id"),
        Index("ix_alerts_due_at", "due_at", postgresql_where=text("due_at IS NOT NULL")),
        # The few whose attachment is still to be fetched.
        Index("ix_alerts_fetching", "id", postgresql_where=text("attachment ->> 'state' = 'waiting'")),
        Index("ix_alerts_resolved_at", "resolved_at", postgresql_where=text("resolved_at IS NOT NULL")),
        {"postgresql_with": {"fillfactor": "70"}},
    )


class AlertItem(HasId, Tenant, Base):
    """One distinct thing that is wrong, and how often it was reported. Ungrouped, it is its alert's only one."""

    __tablename__ = "alert_items"

    alert_id: Mapped[int]
    key: Mapped[bytes]
    severity: Mapped[str]
    title: Mapped[str]
    body: Mapped[str] = mapped_column(default="", server_default="")
    """Neutral rich text, as it was given."""
    labels: Mapped[dict[str, Any]] = mapped_column(default=dict, server_default=text("'{}'::jsonb"))
    """Complete, as matchers see them; people are not shown the private ones."""
    links: Mapped[list[Any]] = mapped_column(default=list, server_default=_EMPTY_LIST)
    count: Mapped[int] = mapped_column(default=1, server_default=text("1"))
    first_seen_at: Mapped[datetime]
    last_seen_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    """When it began, as the source says."""
    silenced_until: Mapped[datetime | None]
    silence_id: Mapped[int | None]
    resolved_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    """When it was over, as the source says."""

    __table_args__ = (
        within_workspace("alert_id", "alerts"),
        UniqueConstraint("alert_id", "key"),
        UniqueConstraint("workspace_id", "id"),
        Index("ix_alert_items_key", "workspace_id", "key"),
        Index("ix_alert_items_silence_id", "silence_id", postgresql_where=text("silence_id IS NOT NULL")),
        {"postgresql_with": {"fillfactor": "70"}},
    )


class AlertMessage(HasId, Tenant, Base):
    """A message of an alert. In each chat one follows it; `superseded_at` ends that."""

    __tablename__ = "alert_messages"

    alert_id: Mapped[int]
    message_id: Mapped[int]
    conversation_id: Mapped[int]
    role: Mapped[str]
    """`route` (the bot's chats), `subscriber`, `escalation`, `admin`, `reply` or `attachment`."""
    user_id: Mapped[int | None]
    locale: Mapped[str]
    note: Mapped[str | None]
    """Why this message came after others, as a code."""
    failed_code: Mapped[str | None]
    news_version: Mapped[int | None]
    """The version of the message that last told news, by an edit: should that never be seen, a new message tells it."""
    superseded_at: Mapped[datetime | None]
    created_at: Mapped[datetime]

    __table_args__ = (
        within_workspace("alert_id", "alerts"),
        within_workspace("message_id", "messages"),
        within_workspace("user_id", "users", ondelete="SET NULL"),
        UniqueConstraint("workspace_id", "message_id"),
        Index("ix_alert_messages_alert_id", "alert_id", "id"),
        Index("ix_alert_messages_conversation_id", "conversation_id", "id"),
    )


class AlertFailure(HasId, Tenant, Base):
    """A message of an alert that was not delivered, noted in the transaction that found out; dealt with afterwards."""

    __tablename__ = "alert_failures"

    message_id: Mapped[int]
    code: Mapped[str]
    at: Mapped[datetime]

    __table_args__ = (within_workspace("message_id", "messages"),)


class AlertEvent(HasId, Tenant, Base):
    """What happened to an alert: its trace, as people read it."""

    __tablename__ = "alert_events"

    alert_id: Mapped[int]
    what: Mapped[str]
    user_id: Mapped[int | None]
    name: Mapped[str | None]
    """Who did it, as they were called then."""
    via: Mapped[str]
    """`telegram`, `api`, `console`, `python`, `system` or the receiver that told."""
    detail: Mapped[dict[str, Any]] = mapped_column(default=dict, server_default=text("'{}'::jsonb"))
    at: Mapped[datetime]

    __table_args__ = (
        within_workspace("alert_id", "alerts"),
        within_workspace("user_id", "users", ondelete="SET NULL"),
        Index("ix_alert_events_alert_id", "alert_id", "id"),
    )


class AlertSilence(HasId, Tenant, Base):
    """Silences what all of its matchers match, from `starts_at` until `ends_at`. Alerts are still counted meanwhile."""

    __tablename__ = "alert_silences"

    matchers: Mapped[list[Any]]
    """`{"label", "op", "value"}` with `=`, `!=`, `=~` or `!~`."""
    starts_at: Mapped[datetime]
    ends_at: Mapped[datetime]
    comment: Mapped[str | None]
    by_user_id: Mapped[int | None]
    by_name: Mapped[str | None]
    hushed: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    """How many distinct things it has silenced."""
    applied_at: Mapped[datetime | None]
    """When the alerts that it concerns were last brought in step with it; None while that is still to be done."""
    applied_through: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    """The last alert that was brought in step since the silence changed."""
    apply_tries: Mapped[int] = mapped_column(SmallInteger, default=0, server_default=text("0"))
    """How often the alerts that follow were begun, and not ended."""
    apply_after: Mapped[datetime | None]
    apply_code: Mapped[str | None]
    """Why some alerts were passed over."""
    disabled_code: Mapped[str | None]
    """Why it was switched off by itself; it silences nothing then."""
    disabled_at: Mapped[datetime | None]
    disabled_told_at: Mapped[datetime | None]
    """When people were told; without a code: they are still to be told that it works again."""
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]

    __table_args__ = (
        UniqueConstraint("workspace_id", "id"),
        within_workspace("by_user_id", "users", ondelete="SET NULL"),
        Index("ix_alert_silences_ends_at", "workspace_id", "ends_at"),
        Index("ix_alert_silences_unapplied", "id", postgresql_where=text("applied_at IS NULL")),
        Index(
            "ix_alert_silences_disabled",
            "id",
            postgresql_where=text("(disabled_code IS NULL) <> (disabled_told_at IS NULL)"),
        ),
    )


class AlertPolicy(HasId, Tenant, Base):
    """What is done about the alerts that its matchers match. The first by `position` counts; durations are seconds."""

    __tablename__ = "alert_policies"

    name: Mapped[str]
    position: Mapped[int] = mapped_column(SmallInteger)
    matchers: Mapped[list[Any]] = mapped_column(default=list, server_default=_EMPTY_LIST)
    locale: Mapped[str] = mapped_column(default="en", server_default="en")
    group_by: Mapped[list[Any]] = mapped_column(default=list, server_default=_EMPTY_LIST)
    group_wait: Mapped[int]
    group_interval: Mapped[int]
    repeat_interval: Mapped[int | None]
    acknowledged_for: Mapped[int | None]
    quiet_after: Mapped[int | None]
    escalate_after: Mapped[int | None]
    escalate_bot_name: Mapped[str | None]
    escalate_chat_ids_encrypted: Mapped[bytes | None]
    escalate_user_ids: Mapped[list[Any]] = mapped_column(default=list, server_default=_EMPTY_LIST)
    quiet_recoveries: Mapped[bool] = mapped_column(default=True, server_default=text("true"))
    resolve_reply: Mapped[bool] = mapped_column(default=False, server_default=text("false"))
    disabled_code: Mapped[str | None]
    """Why it was switched off by itself; it is passed over then."""
    disabled_at: Mapped[datetime | None]
    disabled_told_at: Mapped[datetime | None]
    """When people were told; without a code: they are still to be told that it works again."""
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]

    escalate_chat_ids = Encrypted[str | None]("escalate_chat_ids_encrypted")

    __table_args__ = (
        UniqueConstraint("workspace_id", "id"),
        UniqueConstraint("workspace_id", "name"),
        Index(
            "ix_alert_policies_disabled",
            "id",
            postgresql_where=text("(disabled_code IS NULL) <> (disabled_told_at IS NULL)"),
        ),
    )


class AlertTemplate(HasId, Tenant, Base):
    """A text with placeholders that alerts name instead of bringing their own."""

    __tablename__ = "alert_templates"

    name: Mapped[str]
    title: Mapped[str | None]
    body: Mapped[str]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]

    __table_args__ = (UniqueConstraint("workspace_id", "id"), UniqueConstraint("workspace_id", "name"))
