"""Which bot a shell script means: the database where there is one that answers, and the environment in any case.

For a process that has built no application. What it needs of the product's other parts it imports when it needs it, so
that a script with only a token in its environment starts fast.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from backend.core import config
from backend.core.config import ConfigurationError
from backend.core.errors import AppError
from backend.services.bots import source_order
from backend.services.bots.source_order import Asked, Environment, KnownBot, Level

if TYPE_CHECKING:
    from backend.core.config import Settings

_CONNECT_SECONDS: Final = 3
_STATEMENT_MS: Final = 3000
_DATABASE: Final = ("DATABASE_URL", "ENCRYPTION_KEYS", "SECRET_KEY")
_OWN: Final = ("TELEGRAM_BOT_TOKEN", "TELEGRAM_CHAT_IDS", "TELEGRAM_BOT_CONFIGS", "TELEGRAM_API_URL")


@dataclass(frozen=True, slots=True)
class Found:
    """A bot that is to be used at once. `note` says that the database could not be asked, in words for a person."""

    level: Level
    token: str = field(repr=False)
    chat_ids: tuple[str, ...]
    thread_id: str | None
    api_url: str
    note: str | None = None


def find(asked: Asked, environ: Mapping[str, str]) -> Found:
    """The bot and its chats. A database that is away, or cannot be read, stops nothing: the environment decides then.

    Raises what `source_order.choose` raises, and ConfigurationError for a variable of the bots that is malformed; both
    say if the database could not be asked.
    """
    settings = config.load({name: value for name, value in environ.items() if name in _OWN}, need=())
    environment = Environment(settings.telegram_bot_configs, settings.telegram_bot_token, settings.telegram_chat_ids)
    bots: dict[int, tuple[KnownBot, str]] = {}
    note = None
    if asked.token is None and (asked.bot_name or asked.bot_id) and environ.get("DATABASE_URL"):
        bots, note = _of_database(asked, environ)
    try:
        choice = source_order.choose(asked, [bot for bot, _ in bots.values()], environment)
    except AppError as error:
        if note is None:
            raise
        raise type(error)(error.code, f"{error.message} ({note})") from None
    token = choice.token if choice.bot_id is None else bots[choice.bot_id][1]
    if token is None:
        raise RuntimeError("a choice with neither a bot nor a token")
    return Found(choice.level, token, choice.chat_ids, choice.thread_id, settings.telegram_api_url, note)


def _of_database(asked: Asked, environ: Mapping[str, str]) -> tuple[dict[int, tuple[KnownBot, str]], str | None]:
    """The first workspace's bot of that name or id, with its token; and why there is none to be had."""
    wanted = {*_DATABASE, "LOOKUP_KEY"}
    try:
        settings = config.load({name: value for name, value in environ.items() if name in wanted}, need=_DATABASE)
    except ConfigurationError as error:
        return {}, f"the database was not asked: {error}"
    from sqlalchemy.exc import SQLAlchemyError

    from backend.core.crypto import DecryptionFailed, MalformedKey

    try:
        return _read(asked, settings), None
    except SQLAlchemyError as error:
        return {}, f"the database could not be asked: {type(error).__name__}"
    except (DecryptionFailed, MalformedKey):
        return {}, "the database could not be read: ENCRYPTION_KEYS are others"


def _read(asked: Asked, settings: Settings) -> dict[int, tuple[KnownBot, str]]:
    from sqlalchemy import create_engine, func, select
    from sqlalchemy.orm import Session
    from sqlalchemy.pool import NullPool

    from backend.models import Sender, Workspace

    config.use(settings)
    options = f"-c timezone=UTC -c statement_timeout={_STATEMENT_MS} -c default_transaction_read_only=on"
    engine = create_engine(
        settings.database_url,
        poolclass=NullPool,
        hide_parameters=True,
        connect_args={"connect_timeout": _CONNECT_SECONDS, "options": options, "application_name": "switchboard"},
    )
    first = select(func.min(Workspace.id)).scalar_subquery()
    which = (
        Sender.id == asked.bot_id
        if asked.bot_id is not None
        else Sender.name_folded == source_order.folded(asked.bot_name or "")
    )
    query = select(Sender).where(
        Sender.workspace_id == first,
        Sender.channel == "telegram_bot",
        Sender.source == "database",
        Sender.deleted_at.is_(None),
        which,
    )
    # A session of its own kind: the product's own belongs to an application, and there is none.
    with Session(engine) as session:
        return {
            row.id: (
                KnownBot(row.id, row.name, row.chat_ids, row.message_thread_id, row.is_active),
                row.credentials or "",
            )
            for row in session.scalars(query)
        }
