"""Noting when a sender last received something."""

from __future__ import annotations

from typing import Final

from sqlalchemy import select

from backend.core import clock
from backend.core.database import db
from backend.models import Sender

_EVERY_SECONDS: Final = 60


def note_activity(sender: Sender) -> None:
    """Notes when this sender last received an event, to the minute: events of all its chats pass here at once."""
    now = clock.now()
    seen = sender.last_inbound_at
    if seen is not None and (now - seen).total_seconds() < _EVERY_SECONDS:
        return
    # Whoever has the row now notes the same.
    free = select(Sender.id).where(Sender.id == sender.id).with_for_update(key_share=True, skip_locked=True)
    if db.session.execute(free).scalar() is not None:
        sender.last_inbound_at = now
        db.session.flush()
