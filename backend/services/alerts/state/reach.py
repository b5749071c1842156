"""In how many of its own chats an alert arrives: each chat by its newest message there."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import distinct_on

from backend.core.database import db
from backend.models import AlertMessage, Conversation, Message

ROUTE: Final = "route"
"""The role of messages in the chats that the alert's bot stands for."""
_UNSENT: Final = ("failed", "canceled", "unknown")


@dataclass(frozen=True, slots=True)
class Reach:
    """`missed` of `chats` did not get it, for the reason `code` (the first chat's). `doubtful` is why a chat that is
    still to get it may not: nothing arrived there last time."""

    chats: int = 0
    missed: int = 0
    code: str | None = None
    doubtful: str | None = None

    @property
    def is_partial(self) -> bool:
        """Whether some chats have it, or will, and others not."""
        return 0 < self.missed < self.chats


NOWHERE: Final = Reach()


def of(alert_ids: Collection[int]) -> dict[int, Reach]:
    """The reach of each of these alerts, in one statement; of those that were said nowhere there is none."""
    rows = db.session.execute(
        select(AlertMessage.alert_id, Message.state, Message.error, Conversation.unreachable_code)
        .join(Message, Message.id == AlertMessage.message_id)
        .join(Conversation, Conversation.id == AlertMessage.conversation_id)
        .where(AlertMessage.alert_id.in_(alert_ids), AlertMessage.role == ROUTE)
        .ext(distinct_on(AlertMessage.alert_id, AlertMessage.conversation_id))
        .order_by(AlertMessage.alert_id, AlertMessage.conversation_id, AlertMessage.id.desc())
    ).all()
    reaches: dict[int, Reach] = {}
    for row in rows:
        known = reaches.get(row.alert_id, Reach())
        missed = row.state in _UNSENT
        doubtful = row.unreachable_code if row.state == "queued" else None
        reaches[row.alert_id] = Reach(
            known.chats + 1,
            known.missed + missed,
            known.code or (row.error or row.state if missed else None),
            known.doubtful or doubtful,
        )
    return reaches
