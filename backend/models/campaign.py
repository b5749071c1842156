"""Campaigns: what is said in which steps, to whom, and what became of it for each person."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, SmallInteger, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from backend.core.database import Base, HasId, Tenant, within_workspace

_EMPTY_OBJECT = text("'{}'::jsonb")
_EMPTY_LIST = text("'[]'::jsonb")


class Campaign(HasId, Tenant, Base):
    """Personal messages to many people from one account.

    draft → scheduled → running ⇄ paused → finished or canceled. The audience is what was asked for; the people are
    those of `campaign_recipients`, since the launch.
    """

    __tablename__ = "campaigns"

    name: Mapped[str]
    state: Mapped[str] = mapped_column(default="draft")
    sender_id: Mapped[int | None] = mapped_column(ForeignKey("senders.id", ondelete="SET NULL"))
    """The account from which it speaks."""
    user_id: Mapped[int | None]
    """Who made it."""
    purpose: Mapped[str] = mapped_column(default="marketing", server_default="marketing")
    audience: Mapped[dict[str, Any]] = mapped_column(default=dict, server_default=_EMPTY_OBJECT, deferred=True)
    """`contact_ids`, `tags`, `filter`, `segment_id`; several together are their union. Read only where it is needed: it
    may name a hundred thousand people."""
    window: Mapped[dict[str, Any] | None]
    """`days` (0 is Monday), `from`, `to`, in the recipient's zone; None is any time."""
    add_to_contacts: Mapped[bool] = mapped_column(default=False, server_default=text("false"))
    """Whether people may be added to the account's own contacts in order to find them."""
    lawful_basis: Mapped[dict[str, Any] | None]
    """`basis`, `note`, `by`, `at`: why people are written to who gave no consent."""
    version: Mapped[int] = mapped_column(default=1, server_default=text("1"))
    scheduled_at: Mapped[datetime | None]
    launched_at: Mapped[datetime | None]
    launched_by: Mapped[str | None]
    preflight_id: Mapped[int | None]
    """The preflight with which it was launched."""
    ended_at: Mapped[datetime | None]
    archived_at: Mapped[datetime | None]
    paused_by: Mapped[str | None]
    pause_reason: Mapped[str | None]
    paused_at: Mapped[datetime | None]
    accepted_objections: Mapped[list[Any]] = mapped_column(default=list, server_default=_EMPTY_LIST)
    """Reasons for which it was paused by itself, and an operator let it run on."""
    hours_keys: Mapped[list[Any]] = mapped_column(default=list, server_default=_EMPTY_LIST)
    """The kinds of hours that its recipients have; see `CampaignRecipient.hours_key`."""
    total: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    next_turn_at: Mapped[datetime | None]
    """When its account has its next turn; None while nothing can happen by itself."""
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]

    __table_args__ = (
        UniqueConstraint("workspace_id", "id"),
        within_workspace("user_id", "users", ondelete="SET NULL"),
        CheckConstraint(
            "state IN ('draft', 'scheduled', 'running', 'paused', 'finished', 'canceled')",
            name="state",
        ),
        Index("ix_campaigns_workspace_id", "workspace_id", "id"),
        Index("ix_campaigns_sender_id", "sender_id"),
        Index("ix_campaigns_user_id", "user_id"),
        Index(
            "ix_campaigns_next_turn_at",
            "next_turn_at",
            postgresql_where=text("state IN ('scheduled', 'running')"),
        ),
    )


class CampaignStep(HasId, Tenant, Base):
    """One message of a campaign. `version` rises with each change of its texts."""

    __tablename__ = "campaign_steps"

    campaign_id: Mapped[int]
    position: Mapped[int] = mapped_column(SmallInteger)
    """From 1 on."""
    template: Mapped[str]
    delay_days: Mapped[int] = mapped_column(SmallInteger, default=0, server_default=text("0"))
    """After the step before was sent; 0 for the first."""
    variants: Mapped[list[Any]] = mapped_column(default=list, server_default=_EMPTY_LIST)
    """`{"name", "template", "weight", "is_on"}`; without any, everybody gets `template`."""
    version: Mapped[int] = mapped_column(default=1, server_default=text("1"))

    __table_args__ = (
        within_workspace("campaign_id", "campaigns"),
        UniqueConstraint("campaign_id", "position"),
    )


class CampaignRecipient(HasId, Tenant, Base):
    """A person in a campaign, and where they stand in it.

    waiting → sending → sent → … → replied, finished, stopped, skipped, failed, unknown or canceled. `reason` says in
    every state why.
    """

    __tablename__ = "campaign_recipients"

    campaign_id: Mapped[int]
    contact_id: Mapped[int]
    identity_id: Mapped[int | None]
    contact_point_id: Mapped[int | None]
    """By which they are looked up."""
    conversation_id: Mapped[int | None]
    place: Mapped[int]
    """The place in the audience, from 0 on."""
    state: Mapped[str] = mapped_column(default="waiting")
    reason: Mapped[str] = mapped_column(default="queued")
    step: Mapped[int] = mapped_column(SmallInteger, default=1, server_default=text("1"))
    """The step that is next, or was the last."""
    variant: Mapped[str | None]
    hours_key: Mapped[str | None]
    """Zones and rules by which the hours are known, joined; None while nobody has looked."""
    zones_guessed: Mapped[bool] = mapped_column(default=False, server_default=text("false"))
    """Whether the zone is not known and the workspace's was taken, or no hour fits in all zones."""
    due_at: Mapped[datetime]
    """When the step may go at the earliest."""
    planned_at: Mapped[datetime | None]
    messages_sent: Mapped[int] = mapped_column(SmallInteger, default=0, server_default=text("0"))
    last_sent_at: Mapped[datetime | None]
    asks_operator: Mapped[bool] = mapped_column(default=False, server_default=text("false"))
    """Whether the answer may be an objection, which a person has to decide."""
    read_at: Mapped[datetime | None]
    read_at_exact: Mapped[bool] = mapped_column(default=False, server_default=text("false"))
    ended_at: Mapped[datetime | None]
    updated_at: Mapped[datetime]

    __table_args__ = (
        UniqueConstraint("workspace_id", "id"),
        within_workspace("campaign_id", "campaigns"),
        within_workspace("contact_id", "contacts"),
        within_workspace("identity_id", "identities", ondelete="SET NULL"),
        within_workspace("contact_point_id", "contact_points", ondelete="SET NULL"),
        within_workspace("conversation_id", "conversations", ondelete="SET NULL"),
        UniqueConstraint("campaign_id", "contact_id"),
        Index(
            "uq_campaign_recipients_identity",
            "campaign_id",
            "identity_id",
            unique=True,
            postgresql_where=text("identity_id IS NOT NULL AND state <> 'skipped'"),
        ),
        Index("ix_campaign_recipients_place", "campaign_id", "place"),
        Index("ix_campaign_recipients_state", "campaign_id", "state", "place"),
        Index(
            "ix_campaign_recipients_first",
            "campaign_id",
            "hours_key",
            "place",
            postgresql_where=text("state = 'waiting' AND step = 1"),
        ),
        Index(
            "ix_campaign_recipients_unresolved",
            "campaign_id",
            "place",
            postgresql_where=text("hours_key IS NULL AND ended_at IS NULL"),
        ),
        Index(
            "ix_campaign_recipients_due",
            "campaign_id",
            "due_at",
            postgresql_where=text("ended_at IS NULL AND step > 1"),
        ),
        Index("ix_campaign_recipients_contact_id", "contact_id", "state"),
        Index(
            "ix_campaign_recipients_known_identity_id",
            "identity_id",
            postgresql_where=text("identity_id IS NOT NULL"),
        ),
        Index(
            "ix_campaign_recipients_known_contact_point_id",
            "contact_point_id",
            postgresql_where=text("contact_point_id IS NOT NULL"),
        ),
        Index(
            "ix_campaign_recipients_known_conversation_id",
            "conversation_id",
            postgresql_where=text("conversation_id IS NOT NULL"),
        ),
    )


class CampaignMessage(HasId, Tenant, Base):
    """One step that one person got, or should have got: at most one for each recipient and step."""

    __tablename__ = "campaign_messages"

    campaign_id: Mapped[int]
    recipient_id: Mapped[int]
    sender_id: Mapped[int | None]
    """The account; no foreign key, as the history outlives it."""
    step: Mapped[int] = mapped_column(SmallInteger)
    step_version: Mapped[int]
    variant: Mapped[str | None]
    message_id: Mapped[int | None]
    rendered_text: Mapped[str]
    """As it was filled in for the person."""
    state: Mapped[str] = mapped_column(default="sending")
    """sending, sent, failed, unknown or canceled."""
    code: Mapped[str | None]
    tries: Mapped[int] = mapped_column(SmallInteger, default=1, server_default=text("1"))
    """How often it was given to the outbox: again only after it was taken back unsent."""
    planned_at: Mapped[datetime]
    sent_at: Mapped[datetime | None]
    created_at: Mapped[datetime]

    __table_args__ = (
        within_workspace("campaign_id", "campaigns"),
        within_workspace("recipient_id", "campaign_recipients"),
        within_workspace("message_id", "messages", ondelete="SET NULL"),
        UniqueConstraint("recipient_id", "step"),
        Index("ix_campaign_messages_campaign_id", "campaign_id", "sent_at"),
        Index("ix_campaign_messages_workspace_id", "workspace_id", "id"),
        Index("ix_campaign_messages_message_id", "message_id"),
        Index("ix_campaign_messages_sending", "sender_id", postgresql_where=text("state = 'sending'")),
        Index("ix_campaign_messages_sender_id_sent_at", "sender_id", "sent_at"),
    )


class CampaignPreflight(HasId, Tenant, Base):
    """What a launch would do, as far as it is known without asking anybody."""

    __tablename__ = "campaign_preflights"

    campaign_id: Mapped[int]
    version: Mapped[int]
    fingerprint: Mapped[bytes]
    """Of audience, texts and account."""
    report: Mapped[dict[str, Any]] = mapped_column(default=dict, server_default=_EMPTY_OBJECT)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]

    __table_args__ = (
        within_workspace("campaign_id", "campaigns"),
        Index("ix_campaign_preflights_campaign_id", "campaign_id", "id"),
        Index("ix_campaign_preflights_expires_at", "expires_at"),
    )
