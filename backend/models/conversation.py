"""Who is talked to and where: identities with all their ids, conversations, suppressions."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from backend.core.database import Base, HasId, Tenant, within_workspace
from backend.core.encrypted_columns import Encrypted
from backend.models.conversation_followup import FollowUp


class Identity(HasId, Tenant, Base):
    """A person at a provider, as one workspace knows them.

    `external_hash` is the keyed hash over (channel, scope, external id); `scope` is empty where a provider's ids
    hold everywhere (Telegram) and the page or number where they do not (Messenger). Further ids of the same person are
    `IdentityId` rows.
    """

    __tablename__ = "identities"

    channel: Mapped[str]
    scope: Mapped[str] = mapped_column(default="", server_default="")
    external_id_encrypted: Mapped[bytes]
    external_hash: Mapped[bytes]
    user_id: Mapped[int | None]
    contact_id: Mapped[int | None]
    merged_into_id: Mapped[int | None]
    """The identity that this one was found to be the same person as: whoever finds this one goes on to that one."""
    display_name: Mapped[str | None]
    username: Mapped[str | None]
    locale: Mapped[str | None]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]

    external_id = Encrypted[str]("external_id_encrypted")

    __table_args__ = (
        UniqueConstraint("workspace_id", "id"),
        UniqueConstraint("workspace_id", "external_hash"),
        within_workspace("user_id", "users", ondelete="SET NULL"),
        within_workspace("contact_id", "contacts", ondelete="SET NULL"),
        within_workspace("merged_into_id", "identities", ondelete="SET NULL"),
        Index("ix_identities_user_id", "user_id"),
        Index("ix_identities_contact_id", "contact_id", postgresql_where=text("contact_id IS NOT NULL")),
        Index("ix_identities_merged_into_id", "merged_into_id", postgresql_where=text("merged_into_id IS NOT NULL")),
    )


class IdentityId(HasId, Tenant, Base):
    """A further id that a provider has for a person, besides the identity's own: a number, a business-scoped id.

    `external_hash` is made as the identity's own is, so that a person is found by any of their ids.
    """

    __tablename__ = "identity_ids"

    identity_id: Mapped[int]
    kind: Mapped[str]
    """The provider's word for it: `number`, `bsuid`, `parent_bsuid`, `psid`, …"""
    scope: Mapped[str] = mapped_column(default="", server_default="")
    external_id_encrypted: Mapped[bytes]
    external_hash: Mapped[bytes]
    created_at: Mapped[datetime]

    external_id = Encrypted[str]("external_id_encrypted")

    __table_args__ = (
        UniqueConstraint("workspace_id", "external_hash"),
        within_workspace("identity_id", "identities"),
        Index("ix_identity_ids_identity_id", "identity_id"),
    )


class IdentityMerge(HasId, Tenant, Base):
    """That two identities were found to be one person, and what was moved for it, so that it can be undone."""

    __tablename__ = "identity_merges"

    winner_id: Mapped[int]
    loser_id: Mapped[int]
    moved: Mapped[dict[str, Any]]
    """What the loser had: `conversations` and `joined` (those that went into another) by ids, its `contact_id`."""
    reason: Mapped[str]
    """`same_body`: a provider named both as one; `identity_changed`: it said that one became the other."""
    created_at: Mapped[datetime]
    undone_at: Mapped[datetime | None]
    undone_by: Mapped[str | None]

    __table_args__ = (
        UniqueConstraint("workspace_id", "id"),
        within_workspace("winner_id", "identities"),
        within_workspace("loser_id", "identities"),
        Index("ix_identity_merges_winner_id", "winner_id"),
        Index("ix_identity_merges_loser_id", "loser_id"),
    )


class Conversation(HasId, FollowUp, Tenant, Base):
    """A chat with one sender, as one workspace sees it.

    `chat_key` (the head of the keyed hash of sender and chat) is the same in every workspace, so that pace and
    order hold for the chat and not for the row. `blocked_code` is the reason nothing may be sent there now; the
    claim of the outbox checks it, which makes it the last gate before the provider.

    What the inbox shows is `in_inbox`, and only then has a `status`. `services.inbox.state` is what changes it.
    """

    __tablename__ = "conversations"

    channel: Mapped[str]
    sender_id: Mapped[int] = mapped_column(ForeignKey("senders.id", ondelete="CASCADE"))
    chat_hash: Mapped[bytes]
    chat_key: Mapped[int]
    chat_id_encrypted: Mapped[bytes]
    kind: Mapped[str]
    """`private`, `group`, `supergroup` or `channel`."""
    title: Mapped[str | None]
    thread_id: Mapped[str | None]
    identity_id: Mapped[int | None]
    blocked_code: Mapped[str | None]
    blocked_at: Mapped[datetime | None]
    unreachable_code: Mapped[str | None]
    """Why the last message did not get there, for a reason that need not last: it is tried again."""
    unreachable_at: Mapped[datetime | None]
    last_inbound_at: Mapped[datetime | None]
    last_message_at: Mapped[datetime | None]
    recent_answers: Mapped[dict[str, Any] | None]
    """What the chat was answered by itself in the last minutes: moments and digests, no texts."""
    in_inbox: Mapped[bool] = mapped_column(default=False, server_default=text("false"))
    status: Mapped[str | None]
    """`bot` (the assistant answers), `open` (a person is to answer), `waiting` (we answered last), `snoozed` or
    `closed`; empty outside of the inbox."""
    status_before: Mapped[str | None]
    """The status that a snooze returns to."""
    in_charge: Mapped[str] = mapped_column(default="us", server_default="us")
    """Who may answer at the provider: `us`, `other` (another application) or `page_inbox` (the provider's own)."""
    assignee_id: Mapped[int | None]
    unread_count: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    """Messages of the person that nobody here has seen."""
    reply_until: Mapped[datetime | None]
    """When free answers end, 60 seconds taken off; empty where the channel knows no such end."""
    reply_reason: Mapped[str | None]
    """What opened the window: `message_24h`, `ad_7d`, `comment_7d_once`, `human_agent_7d`; `closed` once the provider
    has said that it is."""
    waiting_since: Mapped[datetime | None]
    """The person's first message that nobody has answered yet."""
    first_inbound_at: Mapped[datetime | None]
    answered_at: Mapped[datetime | None]
    """When a member answered for the first time."""
    last_activity_at: Mapped[datetime | None]
    """The order of the inbox's list: the last message in either direction."""
    last_message_id: Mapped[int | None]
    last_inbound_message_id: Mapped[int | None]
    snoozed_until: Mapped[datetime | None]
    snoozed_until_reply: Mapped[bool] = mapped_column(default=False, server_default=text("false"))
    """Whether the snooze has no moment of its end: the person's next message ends any."""
    remind_at: Mapped[datetime | None]
    """When the people who are to answer are told that the window is about to close; empty once they were told."""
    owner_user_id: Mapped[int | None]
    """Whose account the chat is on; empty for bots, pages and numbers."""
    visibility: Mapped[str] = mapped_column(default="workspace", server_default="workspace")
    """Who may see it: `workspace`, `people` (the owner and those it is shared with) or `owner`."""
    created_at: Mapped[datetime]

    chat_id = Encrypted[str]("chat_id_encrypted")

    __table_args__ = (
        UniqueConstraint("workspace_id", "id"),
        UniqueConstraint("workspace_id", "sender_id", "chat_hash"),
        within_workspace("identity_id", "identities", ondelete="SET NULL"),
        Index("ix_conversations_sender_id_chat_hash", "sender_id", "chat_hash"),
        Index("ix_conversations_identity_id", "identity_id"),
        Index("ix_conversations_blocked", "id", postgresql_where=text("blocked_code IS NOT NULL")),
        within_workspace("assignee_id", "users", ondelete="SET NULL"),
        within_workspace("owner_user_id", "users", ondelete="SET NULL"),
        CheckConstraint("status IN ('bot', 'open', 'waiting', 'snoozed', 'closed')", name="status"),
        CheckConstraint("in_charge IN ('us', 'other', 'page_inbox')", name="in_charge"),
        CheckConstraint("visibility IN ('workspace', 'people', 'owner')", name="visibility"),
        # Read backwards: the latest activity first.
        Index("ix_conversations_inbox", "workspace_id", "last_activity_at", "id", postgresql_where=text("in_inbox")),
        Index(
            "ix_conversations_inbox_status",
            "workspace_id",
            "status",
            "last_activity_at",
            "id",
            postgresql_where=text("in_inbox"),
        ),
        Index(
            "ix_conversations_assignee_id",
            "assignee_id",
            "last_activity_at",
            "id",
            postgresql_where=text("assignee_id IS NOT NULL"),
        ),
        Index("ix_conversations_owner_user_id", "owner_user_id", postgresql_where=text("owner_user_id IS NOT NULL")),
        Index("ix_conversations_snoozed", "snoozed_until", postgresql_where=text("snoozed_until IS NOT NULL")),
        Index("ix_conversations_remind_at", "remind_at", postgresql_where=text("remind_at IS NOT NULL")),
    )


class ConversationShare(Tenant, Base):
    """That a person may see a conversation whose `visibility` is `people`."""

    __tablename__ = "conversation_shares"

    conversation_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    user_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    created_at: Mapped[datetime]

    __table_args__ = (
        within_workspace("conversation_id", "conversations"),
        within_workspace("user_id", "users"),
        Index("ix_conversation_shares_user_id", "user_id"),
    )


class Suppression(HasId, Tenant, Base):
    """An identifier of a person who must not be written to, as a keyed hash only.

    It survives the erasure of everything else, and therefore points to nothing. `external_hash` equals
    `identities.external_hash` for a user of a provider, `contact_points.value_hash` for all kinds.
    """

    __tablename__ = "suppressions"

    external_hash: Mapped[bytes]
    kind: Mapped[str] = mapped_column(default="telegram_user", server_default="telegram_user")
    code: Mapped[str]
    """Why: `opted_out`, `complaint`, `requested`, `imported` or `other`."""
    source: Mapped[str | None]
    """How it came: `person`, `api`, `console`, `import` or `inherited`."""
    created_by: Mapped[str | None]
    created_at: Mapped[datetime]

    __table_args__ = (UniqueConstraint("workspace_id", "external_hash"),)
