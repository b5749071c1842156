"""Accounts of persons: what is known of one beside its sender, its position, its peers, look-ups and logins."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from backend.core.database import Base, HasId, Tenant, within_workspace
from backend.core.encrypted_columns import Encrypted


class Account(HasId, Tenant, Base):
    """A person's own account at a provider: a sender with an owner, a position in its updates and a health.

    `state` is connected, waiting, limited, frozen, needs_login or unconfirmed; `reason`, `since` and `until` belong to
    it. Campaigns rest while `campaigns_pause_reason` is set: until `campaigns_paused_until`, or without it until a
    person decides. `pts`, `qts`, `date` and `seq` say up to where the provider's updates are stored.
    """

    __tablename__ = "accounts"

    sender_id: Mapped[int] = mapped_column(ForeignKey("senders.id", ondelete="CASCADE"))
    owner_user_id: Mapped[int | None]
    allowed_senders: Mapped[list[Any]] = mapped_column(default=list, server_default=text("'[]'::jsonb"))
    """Who besides the owner starts campaigns from it: ids of people, or "workspace" alone."""
    phone_encrypted: Mapped[bytes | None]
    phone_hash: Mapped[bytes | None]
    telegram_user_id_encrypted: Mapped[bytes]
    telegram_user_hash: Mapped[bytes]
    quota_key: Mapped[bytes]
    """Under which its attempts count over the whole instance (`services.delivery.quota`)."""
    username: Mapped[str | None]
    name: Mapped[str]
    is_premium: Mapped[bool] = mapped_column(default=False, server_default=text("false"))
    device: Mapped[str]
    """What the provider's list of sessions shows."""
    state: Mapped[str] = mapped_column(default="waiting")
    reason: Mapped[str | None]
    since: Mapped[datetime]
    until: Mapped[datetime | None]
    campaigns_paused_until: Mapped[datetime | None]
    campaigns_pause_reason: Mapped[str | None]
    lookups_paused_until: Mapped[datetime | None]
    strict_until: Mapped[datetime | None]
    """Three messages a day until then."""
    freeze_since: Mapped[datetime | None]
    freeze_until: Mapped[datetime | None]
    appeal_url: Mapped[str | None]
    service_notice: Mapped[str | None]
    service_notice_at: Mapped[datetime | None]
    config_checked_at: Mapped[datetime | None]
    pts: Mapped[int | None]
    qts: Mapped[int | None]
    date: Mapped[int | None]
    """Seconds since 1970, as the provider counts them."""
    seq: Mapped[int | None]
    connected_at: Mapped[datetime | None]
    caught_up_at: Mapped[datetime | None]
    """When everything was stored for the first time since `connected_at`; None while it has not been."""
    last_used_at: Mapped[datetime | None]
    created_at: Mapped[datetime]
    deleted_at: Mapped[datetime | None]

    phone = Encrypted[str | None]("phone_encrypted")
    telegram_user_id = Encrypted[str]("telegram_user_id_encrypted")

    __table_args__ = (
        UniqueConstraint("sender_id"),
        within_workspace("owner_user_id", "users", ondelete="SET NULL"),
        Index("ix_accounts_owner_user_id", "owner_user_id"),
        Index("ix_accounts_quota_key", "quota_key"),
        Index(
            "uq_accounts_telegram_user",
            "workspace_id",
            "telegram_user_hash",
            unique=True,
            postgresql_where=text("deleted_at IS NULL"),
        ),
    )


class AccountFirstConnection(Base):
    """When an account was first connected to the instance, in whatever workspace: new accounts begin slowly from then.

    Points to nothing, so that removing an account and connecting it again changes nothing.
    """

    __tablename__ = "account_first_connections"

    quota_key: Mapped[bytes] = mapped_column(primary_key=True)
    first_connected_at: Mapped[datetime]


class AccountSignal(HasId, Tenant, Base):
    """Something that says how the provider sees an account: a flood wait, a refusal, a freeze. `value` holds no words
    of messages."""

    __tablename__ = "account_signals"

    sender_id: Mapped[int] = mapped_column(ForeignKey("senders.id", ondelete="CASCADE"))
    code: Mapped[str]
    value: Mapped[dict[str, Any]] = mapped_column(default=dict, server_default=text("'{}'::jsonb"))
    at: Mapped[datetime]

    __table_args__ = (Index("ix_account_signals_sender_id_at", "sender_id", "at"), Index("ix_account_signals_at", "at"))


class AccountPeer(HasId, Tenant, Base):
    """How one account addresses a person: the access hash holds for this account only.

    `requirement` says what it takes to write first: none, premium, stars or unknown.
    """

    __tablename__ = "account_peers"

    sender_id: Mapped[int] = mapped_column(ForeignKey("senders.id", ondelete="CASCADE"))
    identity_id: Mapped[int]
    access_hash_encrypted: Mapped[bytes]
    found_by: Mapped[str]
    """phone, username, chat or import."""
    requirement: Mapped[str] = mapped_column(default="unknown")
    stars: Mapped[int | None]
    checked_at: Mapped[datetime | None]
    created_at: Mapped[datetime]

    access_hash = Encrypted[str]("access_hash_encrypted")

    __table_args__ = (
        UniqueConstraint("sender_id", "identity_id"),
        within_workspace("identity_id", "identities"),
        Index("ix_account_peers_identity_id", "identity_id"),
    )


class AccountLookup(HasId, Tenant, Base):
    """A question to the provider: whose is this phone or user name?

    `state` is due, running or done; `result` found, not_found, hidden_or_none, unknown, limited or identity_changed.
    """

    __tablename__ = "account_lookups"

    sender_id: Mapped[int] = mapped_column(ForeignKey("senders.id", ondelete="CASCADE"))
    contact_point_id: Mapped[int]
    add_to_contacts: Mapped[bool] = mapped_column(default=False)
    """Whether the person may be added to the account's own contacts, where nothing else finds them."""
    state: Mapped[str] = mapped_column(default="due")
    result: Mapped[str | None]
    identity_id: Mapped[int | None]
    epoch: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    """The lease's epoch under which it is running."""
    created_at: Mapped[datetime]
    asked_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    next_at: Mapped[datetime]

    __table_args__ = (
        UniqueConstraint("sender_id", "contact_point_id"),
        within_workspace("contact_point_id", "contact_points"),
        within_workspace("identity_id", "identities", ondelete="SET NULL"),
        Index("ix_account_lookups_due", "sender_id", "next_at", "id", postgresql_where=text("state <> 'done'")),
        Index("ix_account_lookups_contact_point_id", "contact_point_id"),
        Index("ix_account_lookups_identity_id", "identity_id"),
    )


class AccountLogin(HasId, Tenant, Base):
    """A person who is connecting their account: what they were asked for, and the command that waits to be carried out.

    `state` is starting, code_required, password_required, qr_waiting, checking, done, failed or expired. A command has
    a number; `answered_number` says up to which they are answered.
    """

    __tablename__ = "account_logins"

    user_id: Mapped[int]
    phone_encrypted: Mapped[bytes | None]
    phone_hash: Mapped[bytes | None]
    settings_encrypted: Mapped[bytes]
    """`api_id` and `api_hash`, as JSON."""
    state: Mapped[str] = mapped_column(default="starting")
    delivery: Mapped[str | None]
    """Where the code went: app, email or sms."""
    session_encrypted: Mapped[bytes | None]
    phone_code_hash_encrypted: Mapped[bytes | None]
    secret_encrypted: Mapped[bytes | None]
    """The code or the password that the person has just given; erased once it was used."""
    command: Mapped[str]
    """start, resend, code, password, qr or cancel."""
    command_number: Mapped[int] = mapped_column(default=1)
    answered_number: Mapped[int] = mapped_column(default=0)
    claimed_by: Mapped[str | None]
    claimed_until: Mapped[datetime | None]
    """On the database's clock."""
    error_code: Mapped[str | None]
    retry_after: Mapped[int | None]
    """Seconds."""
    qr_url_encrypted: Mapped[bytes | None]
    qr_expires_at: Mapped[datetime | None]
    expires_at: Mapped[datetime]
    sender_id: Mapped[int | None] = mapped_column(ForeignKey("senders.id", ondelete="SET NULL"))
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]

    phone = Encrypted[str | None]("phone_encrypted")
    joined_settings = Encrypted[str]("settings_encrypted")
    session = Encrypted[str | None]("session_encrypted")
    phone_code_hash = Encrypted[str | None]("phone_code_hash_encrypted")
    secret = Encrypted[str | None]("secret_encrypted")
    qr_url = Encrypted[str | None]("qr_url_encrypted")

    __table_args__ = (
        within_workspace("user_id", "users"),
        Index("ix_account_logins_user_id", "user_id", "id"),
        Index("ix_account_logins_open", "id", postgresql_where=text("answered_number < command_number")),
        Index("ix_account_logins_expires_at", "expires_at"),
        Index("ix_account_logins_sender_id", "sender_id"),
    )
