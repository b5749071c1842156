"""Every bot of the instance at a glance, for who runs it: whether it works, and since when it does not."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import select

from backend.channels.telegram_bot import NAME as CHANNEL
from backend.core import config
from backend.core.database import db, system_scope
from backend.models import Sender, SenderLease
from backend.services.bots import chat_states, health, usage
from backend.services.bots.resolution import still_named

MAX_COUNT: Final = 500


@dataclass(frozen=True, slots=True)
class BotState:
    """A bot. `paused_until` is a rest that Telegram asked for; `waiting` counts operations, to 1000 at most."""

    id: int
    workspace_id: int | None
    name: str
    source: str
    username: str | None
    is_active: bool
    disabled_code: str | None
    health: dict[str, Any]
    waiting: int
    paused_until: datetime | None
    last_inbound_at: datetime | None
    unreachable_chats: int = 0


def bots() -> list[BotState]:
    """The bots of all workspaces and of the environment, at most 500; those that do not work come first."""
    with system_scope("the instance's owner looks at all bots"):
        rows = db.session.execute(
            select(Sender, SenderLease.paused_until)
            .outerjoin(SenderLease, SenderLease.sender_id == Sender.id)
            .where(
                Sender.channel == CHANNEL,
                Sender.deleted_at.is_(None),
                Sender.source != "arguments",
                still_named(),
            )
            .order_by(Sender.disabled_code.is_(None), Sender.id)
            .limit(MAX_COUNT)
        ).all()
        used = usage.of([sender.id for sender, _ in rows])
        states = chat_states.of([sender for sender, _ in rows])
        return [
            BotState(
                id=sender.id,
                workspace_id=sender.workspace_id,
                name=sender.name,
                source=sender.source,
                username=sender.username,
                is_active=sender.is_active,
                disabled_code=sender.disabled_code,
                health=health.last_of(sender),
                waiting=used[sender.id].waiting,
                paused_until=paused_until,
                last_inbound_at=sender.last_inbound_at,
                unreachable_chats=sum(chat.state != chat_states.OK for chat in states[sender.id]),
            )
            for sender, paused_until in rows
        ]


def is_configured() -> bool:
    """Whether there is any bot at all, in the environment or switched on in the database."""
    settings = config.get()
    if settings.telegram_bot_token or settings.telegram_bot_configs:
        return True
    with system_scope("the instance's owner looks at all bots"):
        query = select(Sender.id).where(
            Sender.channel == CHANNEL,
            Sender.source == "database",
            Sender.is_active,
            Sender.deleted_at.is_(None),
        )
        return db.session.execute(query.limit(1)).first() is not None
