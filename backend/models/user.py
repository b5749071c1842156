"""People, workspaces and how they get in."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from sqlalchemy import CheckConstraint, Index, UniqueConstraint, func, text
from sqlalchemy.orm import Mapped, mapped_column

from backend.core.database import Base, HasId, Tenant, within_workspace
from backend.core.encrypted_columns import Encrypted

VIEWER: Final = "viewer"
OPERATOR: Final = "operator"
ADMIN: Final = "admin"
"""What a person of a workspace may do, from the least to the most."""


class Workspace(HasId, Base):
    """A team and everything it owns. The one with the lowest id is the instance's first."""

    __tablename__ = "workspaces"

    name: Mapped[str]
    created_at: Mapped[datetime]


class User(HasId, Tenant, Base):
    """A person of one workspace: a member who signs in, or somebody the host application reports events for.

    The latter has an `external_user_id` and no password. An e-mail address is unique in the instance.
    """

    __tablename__ = "users"

    email: Mapped[str | None]
    name: Mapped[str]
    role: Mapped[str] = mapped_column(default=VIEWER)
    """`viewer`, `operator` or `admin`."""
    is_owner: Mapped[bool] = mapped_column(default=False, server_default=text("false"))
    """Owner of the whole instance, not of a workspace."""
    password_hash: Mapped[str | None]
    external_user_id: Mapped[str | None]
    locale: Mapped[str] = mapped_column(default="en", server_default="en")
    timezone: Mapped[str] = mapped_column(default="UTC", server_default="UTC")
    created_at: Mapped[datetime]
    disabled_at: Mapped[datetime | None]

    __table_args__ = (
        UniqueConstraint("workspace_id", "id"),
        UniqueConstraint("workspace_id", "external_user_id"),
        Index("uq_users_email", func.lower(text("email")), unique=True),
        CheckConstraint("role IN ('viewer', 'operator', 'admin')", name="role"),
    )


class SignIn(HasId, Tenant, Base):
    """A family of refresh tokens: one sign-in on one device. A reused token revokes the family."""

    __tablename__ = "sign_ins"

    user_id: Mapped[int]
    current_jti: Mapped[str]
    previous_jti: Mapped[str | None]
    created_at: Mapped[datetime]
    refreshed_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]
    revoked_code: Mapped[str | None]
    user_agent: Mapped[str | None]
    network_hash: Mapped[bytes | None]
    """Keyed hash of the network it was last made or renewed from: guessers elsewhere do not refuse it."""

    __table_args__ = (within_workspace("user_id", "users"), Index("ix_sign_ins_user_id", "user_id"))


class PersonalToken(HasId, Tenant, Base):
    """A personal access token: named, scoped, shown once, kept as a hash."""

    __tablename__ = "personal_tokens"

    user_id: Mapped[int]
    name: Mapped[str]
    prefix: Mapped[str]
    token_hash: Mapped[bytes]
    scopes: Mapped[list[Any]]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]

    __table_args__ = (
        UniqueConstraint("token_hash"),
        within_workspace("user_id", "users"),
        Index("ix_personal_tokens_user_id", "user_id"),
    )


class PasswordReset(HasId, Tenant, Base):
    """A single-use link to set a password, kept as a hash."""

    __tablename__ = "password_resets"

    user_id: Mapped[int]
    token_hash: Mapped[bytes]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]

    __table_args__ = (UniqueConstraint("token_hash"), within_workspace("user_id", "users"))


class ResetRequest(HasId, Base):
    """Somebody says they forgot the password of this address. Whether anybody has it is looked up by a job.

    No tenant table: whose it is, is not known yet. A row goes when it is answered.
    """

    __tablename__ = "reset_requests"

    email_encrypted: Mapped[bytes | None]
    created_at: Mapped[datetime]

    email = Encrypted[str | None]("email_encrypted")
