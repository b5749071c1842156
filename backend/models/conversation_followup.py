"""What is done about a conversation after its person wrote, as columns of `Conversation`."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import text
from sqlalchemy.orm import Mapped, mapped_column


class FollowUp:
    """Columns of a conversation that `services.inbox` alone writes, behind the intake."""

    followed_message_id: Mapped[int | None]
    """The person's last message for which the rest was done."""
    sla_kind: Mapped[str | None]
    """Which answer is due: `first_response` or `next_response`."""
    sla_since: Mapped[datetime | None]
    """The `waiting_since` that `sla_due_at` was counted from; a timer counts only while the two are equal."""
    sla_due_at: Mapped[datetime | None]
    """When a person should have answered; empty where the workspace has no such aim."""
    sla_alerted_at: Mapped[datetime | None]
    """When it was said that the answer is late; empty again once that was taken back."""
    away_told_at: Mapped[datetime | None]
    """When the person was last told that nobody is there."""
    assignment_due: Mapped[bool] = mapped_column(default=False, server_default=text("false"))
    """Whether the assignment rules are to be tried."""
    words_due: Mapped[bool] = mapped_column(default=True, server_default=text("true"))
    """Whether messages of it may be missing in the search."""
