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
        sender = db.session.get(Sender, sender_id)
    if sender is None or sender.deleted_at is not None or channel not in (None, sender.channel):
        return None
    return sender


def find(workspace_id: int, sender_id: int) -> Sender:
    """A bot that this workspace owns. Raises NotFound, also for another workspace's, and for one that was removed."""
    sender = by_id(sender_id)
    if sender is None or sender.workspace_id != workspace_id or sender.source not in ("database", "environment"):
        raise NotFound("bot_not_found", "There is no such bot.")
    return sender


def named(workspace_id: int, reference: str) -> Sender:
    """A bot that people of this workspace can link to: one of its own by id, name or username (in any case), or the
    default bot as `default` or by its username. Raises NotFound."""
    wanted_name = reference.strip().removeprefix("@").lower()
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
                        func.lower(Sender.name) == wanted_name,
                        func.lower(Sender.username) == wanted_name,
                        Sender.id
                        == (
                            int(wanted_name)
                            if wanted_name.isascii() and wanted_name.isdigit() and len(wanted_name) < 19
                            else 0
                        ),
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
