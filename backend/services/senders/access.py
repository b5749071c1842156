"""Finding senders by id, whoever owns them."""

from __future__ import annotations

from backend.core.database import db, system_scope
from backend.models import Sender


def by_id(sender_id: int, *, channel: str | None = None) -> Sender | None:
    """The sender of that id, whoever owns it: for webhooks, jobs and the command line; None where there is none, or
    none of this channel, and for one that was removed."""
    with system_scope("a sender may serve several workspaces"):
        sender = db.session.get(Sender, sender_id)
    if sender is None or sender.deleted_at is not None or channel not in (None, sender.channel):
        return None
    return sender
