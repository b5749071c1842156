"""Finding senders. The default bot serves everybody; every other sender is its workspace's own."""

from __future__ import annotations

from typing import Final

from sqlalchemy import func, or_, select

from backend.core.database import db, system_scope
from backend.core.errors import NotFound
from backend.models import Sender

CHANNEL: Final = "telegram_bot"
_WHY = "senders are kept apart by their owner, below"


def by_id(sender_id: int, *, channel: str | None = None) -> Sender | None:
    """The sender of that id, whoever owns it: for webhooks, jobs and the command line; None where there is none, or
    none of this channel, and for one that was removed."""
    with system_scope(_WHY):
        found = db.session.get(Sender, sender_id)
    if found is None or found.deleted_at is not None or channel not in (None, found.channel):
        return None
    return found


def find(workspace_id: int, sender_id: int) -> Sender:
    """A bot that this workspace owns. Raises NotFound, also for another workspace's, and for one that was removed."""
    found = by_id(sender_id)
    if found is None or found.workspace_id != workspace_id or found.source not in ("database", "environment"):
        raise NotFound("bot_not_found", "There is no such bot.")
    return found


def named(workspace_id: int, reference: str) -> Sender:
    """A bot that people of this workspace can link to: one of its own by id, name or username (in any case), or the
    default bot as `default` or by its username. Raises NotFound."""
    wanted = reference.strip().removeprefix("@").lower()
    with system_scope(_WHY):
        rows = (
            db.session.execute(
                select(Sender)
                .where(Sender.channel == CHANNEL, Sender.is_active)
                .where(
                    or_(
                        (Sender.workspace_id == workspace_id) & (Sender.source == "database"),
                        Sender.source == "environment",
                    )
                )
                .where(
                    or_(
                        func.lower(Sender.name) == wanted,
                        func.lower(Sender.username) == wanted,
                        Sender.id == (int(wanted) if wanted.isascii() and wanted.isdigit() and len(wanted) < 19 else 0),
                    )
                )
                .order_by((Sender.source == "environment"), Sender.id)
                .limit(1)
            )
            .scalars()
            .all()
        )
    if not rows:
        raise NotFound("bot_not_found", "There is no such bot.")
    return rows[0]
