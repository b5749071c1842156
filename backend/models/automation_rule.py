"""Automation rules: posts made on a schedule, and each run of one."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from backend.core.database import Base, HasId, Tenant, within_workspace
from backend.core.encrypted_columns import EncryptedJson


class AutomationRule(HasId, Tenant, Base):
    """What to post, where, and when. The timing is its schedule's."""

    __tablename__ = "automation_rules"

    user_id: Mapped[int]
    """Whose posts they are, and who is told."""
    name: Mapped[str | None]
    platforms: Mapped[list[Any]]
    targets_plain: Mapped[dict[str, Any]] = mapped_column("targets", default=dict, server_default=text("'{}'::jsonb"))
    """What an earlier release wrote; a job moves it."""
    targets_encrypted: Mapped[bytes | None]
    targets = EncryptedJson("targets_encrypted", plain="targets_plain", empty={})
    """By platform: where on it, as in a post."""
    content: Mapped[str]
    """A template."""
    media: Mapped[list[Any]] = mapped_column(default=list, server_default=text("'[]'::jsonb"))
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]

    __table_args__ = (
        UniqueConstraint("workspace_id", "id"),
        within_workspace("user_id", "users"),
        Index("ix_automation_rules_workspace_id", "workspace_id", "id"),
    )

    @property
    def title(self) -> str:
        """What the rule is called, also without a name."""
        return self.name or f"Auto-rule {self.id}"


class RuleRun(HasId, Tenant, Base):
    """One run of a rule: `running` until all its posts have ended, then told once."""

    __tablename__ = "rule_runs"

    rule_id: Mapped[int | None]
    rule_name: Mapped[str]
    user_id: Mapped[int]
    fire_at: Mapped[datetime]
    state: Mapped[str] = mapped_column(default="running")
    created_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]

    __table_args__ = (
        UniqueConstraint("workspace_id", "id"),
        UniqueConstraint("rule_id", "fire_at"),
        within_workspace("rule_id", "automation_rules", ondelete="SET NULL"),
        within_workspace("user_id", "users"),
        Index("ix_rule_runs_rule_id", "rule_id", "id"),
    )
