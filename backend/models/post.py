"""Posts on social platforms, each try to publish one, and what the token may do by which they are published."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, Index, SmallInteger, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from backend.core.database import Base, HasId, Tenant, within_workspace
from backend.core.encrypted_columns import EncryptedJson


class Post(HasId, Tenant, Base):
    """One post of a person on one platform.

    draft → scheduled → publishing → published, failed or unknown; canceled from the first two. `unknown` is a question
    to a person and ends by their answer only. `reason` says in every state why it is so: a code.
    """

    __tablename__ = "posts"

    user_id: Mapped[int]
    platform: Mapped[str]
    publisher: Mapped[str | None]
    """Who publishes it: `telegram`, `facebook`, `instagram` or `webhook`; None for a draft."""
    content: Mapped[str]
    media: Mapped[list[Any]] = mapped_column(default=list, server_default=text("'[]'::jsonb"))
    """`{"kind", "url" | "file_id"}`, in order."""
    target_plain: Mapped[dict[str, Any]] = mapped_column("target", default=dict, server_default=text("'{}'::jsonb"))
    """What an earlier release wrote; a job moves it."""
    target_encrypted: Mapped[bytes | None]
    target = EncryptedJson("target_encrypted", plain="target_plain", empty={})
    """Where on the platform: `bot_name`, `bot_id`, `chat_id`, `page_id`, `ig_user_id`."""
    scheduled_at: Mapped[datetime | None]
    due_at: Mapped[datetime | None]
    """When it is due next; while `publishing` by a host application, until when its answer is awaited."""
    state: Mapped[str]
    reason: Mapped[str | None]
    error: Mapped[str | None]
    """What the platform or the host application said of a failure."""
    attempts: Mapped[int] = mapped_column(SmallInteger, default=0, server_default=text("0"))
    """How often publishing was begun: what could have published it."""
    tries: Mapped[int] = mapped_column(SmallInteger, default=0, server_default=text("0"))
    """How often it was put off before anything was begun."""
    progress: Mapped[dict[str, Any]] = mapped_column(default=dict, server_default=text("'{}'::jsonb"))
    """What was prepared at the platform and need not be prepared again."""
    message_id: Mapped[int | None]
    """The message in which it is sent, on Telegram."""
    request_id: Mapped[str | None]
    """The event in which a host application was asked."""
    external_id: Mapped[str | None]
    post_url: Mapped[str | None]
    likes: Mapped[int | None]
    comments: Mapped[int | None]
    version: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    """Of what the person is told: rises with each state and each change of likes and comments."""
    rule_run_id: Mapped[int | None]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    published_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    """When it was published, failed, became unknown or was canceled."""

    __table_args__ = (
        UniqueConstraint("workspace_id", "id"),
        within_workspace("user_id", "users"),
        within_workspace("message_id", "messages", ondelete="SET NULL"),
        within_workspace("rule_run_id", "rule_runs", ondelete="SET NULL"),
        CheckConstraint(
            "state IN ('draft', 'scheduled', 'publishing', 'published', 'failed', 'unknown', 'canceled')", name="state"
        ),
        Index("ix_posts_workspace_id", "workspace_id", "id"),
        Index(
            "ix_posts_waiting",
            "workspace_id",
            postgresql_where=text("state IN ('draft', 'scheduled', 'publishing')"),
        ),
        Index("ix_posts_due", "due_at", "id", postgresql_where=text("state = 'scheduled'")),
        Index("ix_posts_publishing", "id", postgresql_where=text("state = 'publishing'")),
        Index("ix_posts_user_id", "user_id", "ended_at"),
        Index("ix_posts_message_id", "message_id", postgresql_where=text("message_id IS NOT NULL")),
        Index("ix_posts_rule_run_id", "rule_run_id", postgresql_where=text("rule_run_id IS NOT NULL")),
    )


class PostAttempt(HasId, Tenant, Base):
    """Append-only: a row before each call that could publish, and one for what came of it."""

    __tablename__ = "post_attempts"

    post_id: Mapped[int]
    number: Mapped[int] = mapped_column(SmallInteger)
    """`Post.attempts` of the try."""
    phase: Mapped[str]
    """`begun`, then `published`, `failed`, `unknown`, or `again` for one that certainly did nothing."""
    code: Mapped[str | None]
    at: Mapped[datetime]

    __table_args__ = (
        within_workspace("post_id", "posts"),
        Index("ix_post_attempts_post_id", "post_id", "id"),
        # The last gate before the platform: a try is begun once.
        Index("uq_post_attempts_begun", "post_id", "number", unique=True, postgresql_where=text("phase = 'begun'")),
    )


class PublishingToken(Base):
    """The permissions of a token, as its provider tells, by the token's keyed hash. `scopes` is None where the provider
    did not tell; at `ask_at` it is asked again. The instance's own, so no tenant's."""

    __tablename__ = "publishing_tokens"

    token_hash: Mapped[bytes] = mapped_column(primary_key=True)
    scopes: Mapped[list[str] | None] = mapped_column(JSONB(none_as_null=True))
    ask_at: Mapped[datetime]
