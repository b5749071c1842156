"""The bots that people link with: the default bot, which serves every workspace, and a workspace's own by name."""

from __future__ import annotations

from typing import Final

from sqlalchemy import func, or_, select

from backend.channels.errors import ChannelError
from backend.channels.telegram_bot import NAME as CHANNEL
from backend.core.database import db, system_scope
from backend.core.errors import NotFound, Unavailable
from backend.models import Sender
from backend.services import senders
from backend.services.senders.questions import Reason

IS_DEFAULT_BOT: Final = senders.is_environment_sender(CHANNEL)
"""What the default bot's row is found by, for statements that read it with something else."""

WHY_NOT_ASKED: Final[dict[Reason, str]] = {
    "resting": "it did not answer a moment ago",
    "busy": "others are waiting for its answers",
    "paused": "it has asked the bot to be quiet for a while",
    "too_fast": "the bot has asked too much within a second",
}
"""Why Telegram was left alone, in words for a person."""


def default_bot() -> Sender | None:
    """The environment's bot, which links and notifies people of every workspace; see `senders.environment_sender`."""
    return senders.environment_sender(CHANNEL)


def default_bot_of(row: Sender | None) -> Sender | None:
    """The default bot, given the row that `IS_DEFAULT_BOT` finds; see `senders.environment_sender`."""
    return senders.environment_sender_of(CHANNEL, row)


def named(workspace_id: int, reference: str) -> Sender:
    """A bot that people of this workspace can link to: one of its own by id, name or username (in any case), or the
    default bot as `default` or by its username. Raises NotFound."""
    wanted_name = reference.strip().removeprefix("@").lower()
    is_id = wanted_name.isascii() and wanted_name.isdigit() and len(wanted_name) < 19
    own = (Sender.workspace_id == workspace_id) & (Sender.source == "database")
    query = (
        select(Sender)
        .where(Sender.channel == CHANNEL, Sender.is_active, or_(own, Sender.source == "environment"))
        .where(
            or_(
                func.lower(Sender.name) == wanted_name,
                func.lower(Sender.username) == wanted_name,
                Sender.id == (int(wanted_name) if is_id else 0),
            )
        )
        .order_by((Sender.source == "environment"), Sender.id)
        .limit(1)
    )
    with system_scope("bots are kept apart by their owner, in the statement"):
        bot = db.session.execute(query).scalars().first()
    if bot is None:
        raise NotFound("bot_not_found", "There is no such bot.")
    return bot


def username_of(bot: Sender) -> str:
    """The bot's name in addresses (`t.me/<name>`); see `senders.username_of`. Raises Unavailable(`bot_unavailable`)."""
    try:
        username = senders.username_of(bot)
    except ChannelError:
        raise _unavailable(5) from None
    if username is None:
        raise _unavailable(60)
    return username


def _unavailable(seconds: int) -> Unavailable:
    return Unavailable(
        "bot_unavailable", "The Telegram bot cannot be reached at the moment; try again.", retry_after=seconds
    )
