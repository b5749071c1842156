"""Contacts: people whom a workspace knows, what identifies them, and what the workspace notes about them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from backend.core.database import Base, HasId, Tenant, within_workspace
from backend.core.encrypted_columns import Encrypted

_EMPTY = text("'{}'::jsonb")


class Contact(HasId, Tenant, Base):
    """A person. Erasing one empties the row and keeps its id, to which consents and campaigns point."""

    __tablename__ = "contacts"

    first_name: Mapped[str | None]
    last_name: Mapped[str | None]
    company: Mapped[str | None]
    title: Mapped[str | None]
    locale: Mapped[str | None]
    timezone: Mapped[str | None]
    """As somebody stated it; empty where it follows from the phone number or the workspace."""
    region: Mapped[str | None]
    """ISO 3166-1, two letters: how national phone numbers of this person are read."""
    owner_id: Mapped[int | None]
    fields: Mapped[dict[str, Any]] = mapped_column(default=dict, server_default=_EMPTY)
    """Custom fields by key."""
    source: Mapped[str | None]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    erased_at: Mapped[datetime | None]

    __table_args__ = (
        UniqueConstraint("workspace_id", "id"),
        within_workspace("owner_id", "users", ondelete="SET NULL"),
        Index("ix_contacts_live", "workspace_id", "id", postgresql_where=text("erased_at IS NULL")),
        Index("ix_contacts_owner_id", "owner_id"),
    )


class ContactPoint(HasId, Tenant, Base):
    """What identifies a contact or reaches them: a phone, an e-mail address, a user name, a Telegram user id.

    `value_hash` is the keyed hash under which suppressions are stored too.
    """

    __tablename__ = "contact_points"

    contact_id: Mapped[int]
    kind: Mapped[str]
    value_encrypted: Mapped[bytes]
    value_hash: Mapped[bytes]
    label: Mapped[str | None]
    is_primary: Mapped[bool] = mapped_column(default=False, server_default=text("false"))
    validity: Mapped[str] = mapped_column(default="valid", server_default="valid")
    """`valid`, or `possible` for a phone number of the right length in a range that is not assigned."""
    source: Mapped[str | None]
    pinned_hash: Mapped[bytes | None]
    """Of a user name: the hash of the Telegram user it meant when it was first resolved."""
    changed_at: Mapped[datetime | None]
    """When a user name was found to mean another user; nothing is written to it since."""
    created_at: Mapped[datetime]

    value = Encrypted[str]("value_encrypted")

    __table_args__ = (
        UniqueConstraint("workspace_id", "id"),
        UniqueConstraint("workspace_id", "kind", "value_hash"),
        CheckConstraint("kind IN ('phone', 'email', 'username', 'telegram_user')", name="kind"),
        within_workspace("contact_id", "contacts"),
        Index("ix_contact_points_contact_id", "contact_id"),
        Index("ix_contact_points_value_hash", "workspace_id", "value_hash"),
        Index("uq_contact_points_primary", "contact_id", "kind", unique=True, postgresql_where=text("is_primary")),
    )


class ContactField(HasId, Tenant, Base):
    """A custom field of a workspace's contacts, with its type."""

    __tablename__ = "contact_fields"

    key: Mapped[str]
    name: Mapped[str]
    type: Mapped[str]
    """`text`, `number`, `date`, `boolean` or `choice`."""
    choices: Mapped[list[Any]] = mapped_column(default=list, server_default=text("'[]'::jsonb"))
    created_at: Mapped[datetime]

    __table_args__ = (UniqueConstraint("workspace_id", "id"), UniqueConstraint("workspace_id", "key"))


class Tag(HasId, Tenant, Base):
    """A word that contacts are marked with."""

    __tablename__ = "tags"

    name: Mapped[str]
    name_folded: Mapped[str]
    created_at: Mapped[datetime]

    __table_args__ = (UniqueConstraint("workspace_id", "id"), UniqueConstraint("workspace_id", "name_folded"))


class ContactTag(Tenant, Base):
    """That a contact has a tag."""

    __tablename__ = "contact_tags"

    contact_id: Mapped[int] = mapped_column(primary_key=True)
    tag_id: Mapped[int] = mapped_column(primary_key=True)

    __table_args__ = (
        within_workspace("contact_id", "contacts"),
        within_workspace("tag_id", "tags"),
        Index("ix_contact_tags_tag_id", "tag_id", "contact_id"),
    )


class Segment(HasId, Tenant, Base):
    """A filter over contacts that was given a name."""

    __tablename__ = "segments"

    name: Mapped[str]
    name_folded: Mapped[str]
    filter: Mapped[dict[str, Any]]
    created_by: Mapped[str]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]

    __table_args__ = (
        UniqueConstraint("workspace_id", "id"),
        UniqueConstraint("workspace_id", "name_folded"),
    )


class ContactSettings(Tenant, Base):
    """What holds for all contacts of a workspace: region and zone where a contact has none, and consent rules."""

    __tablename__ = "contact_settings"

    workspace_id: Mapped[int] = mapped_column(
        ForeignKey("workspaces.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    region: Mapped[str | None]
    timezone: Mapped[str | None]
    rules: Mapped[str] = mapped_column(default="by_number", server_default="by_number")
    """Consent rules of Korea: `by_number` (for +82), `kr` (for everybody) or `none`."""
    opt_in_wording: Mapped[str | None]
    """What a person agrees to by the button of an opt-in link's page, word by word; no links work without it."""
    opt_out_words: Mapped[list[Any]] = mapped_column(default=list, server_default=text("'[]'::jsonb"))
    """Words and phrases by which people object, besides those that are known in six languages."""
    quiet_days: Mapped[int] = mapped_column(default=7, server_default=text("7"))
    """For how long a person hears of no second campaign."""
    updated_at: Mapped[datetime]
