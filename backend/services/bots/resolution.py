"""From a name, an id or a token to a sender and its chats; which level that came from is part of the answer.

Every target is a row of `senders`, because a sender is what a lease, a pace and a history belong to. A token that came
as an argument or from `TELEGRAM_BOT_CONFIGS` uses the row of the workspace that already has it, so that one bot is
never served at twice its pace; else it gets a row of its own, which no list of bots shows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import ColumnElement, case, func, or_, select
from sqlalchemy.exc import IntegrityError

from backend.channels.telegram_bot import NAME as CHANNEL
from backend.channels.telegram_bot import bot_id_of
from backend.core import clock, config
from backend.core.database import db, system_scope, workspace_id_in_scope
from backend.models import Sender, Workspace
from backend.services import linking, senders
from backend.services.bots import source_order
from backend.services.bots.source_order import Asked, Choice, Environment, KnownBot, Level
from backend.services.senders.credentials import token_hash

_WHY: Final = "senders are kept apart by their owner, below"
_SOURCES: Final = {"database": 0, "environment": 1, "configs": 2, "arguments": 3}


@dataclass(frozen=True, slots=True)
class Target:
    """Where something is to be said, and as whom. `level` is `arguments`, `database`, `configs` or `environment`;
    `thread_id` a forum topic of the chat."""

    sender: Sender
    chat_ids: tuple[str, ...]
    thread_id: str | None
    level: Level


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a name means: the level that serves it and the chats that go with it, maybe none. `bot_id` at the level
    `database` only; `username` where the account is known."""

    level: Level
    bot_id: int | None
    name: str
    username: str | None
    chat_ids: tuple[str, ...]
    thread_id: str | None


def resolve(
    *,
    bot_name: str | None = None,
    bot_id: int | None = None,
    token: str | None = None,
    chat_ids: Sequence[str] = (),
    need_chats: bool = True,
) -> Target:
    """The sender and the chats that are meant in the workspace in scope, in the caller's transaction; see
    `source_order.choose` for the order.

    The environment serves the instance's first workspace only. May store a row for a token that is used for the first
    time. Raises NotFound(`bot_not_found`), Conflict(`bot_inactive`), Invalid(`no_chats`, `bad_chat_id`, `bad_token`).
    """
    asked = Asked(bot_name, bot_id, token, tuple(chat_ids))
    workspace_id = workspace_id_in_scope()
    with system_scope(_WHY):
        rows = _rows(workspace_id, asked)
        choice = source_order.choose(
            asked, [_known(row) for row in rows], _environment_of(workspace_id), need_chats=need_chats
        )
        sender = _sender_of(workspace_id, choice, rows)
        if not sender.is_active:
            raise source_order.inactive()
        return Target(sender, choice.chat_ids, choice.thread_id, choice.level)


def explain_name(bot_name: str) -> Meaning:
    """What a name means at this moment; a token that was never used gets no row by this. Raises what `resolve` raises,
    but no `no_chats`: that there are none is part of the answer."""
    asked = Asked(bot_name)
    workspace_id = workspace_id_in_scope()
    with system_scope(_WHY):
        rows = _rows(workspace_id, asked)
        choice = source_order.choose(
            asked, [_known(row) for row in rows], _environment_of(workspace_id), need_chats=False
        )
        if choice.bot_id is not None:
            sender: Sender | None = _sender_of(workspace_id, choice, rows)
        elif choice.level == "environment":
            sender = linking.default_bot()
        else:
            sender = _by_token(workspace_id, choice.token or "")
        if sender is not None and not sender.is_active:
            raise source_order.inactive()
    return Meaning(
        level=choice.level,
        bot_id=choice.bot_id,
        name=bot_name.strip() if sender is None or choice.bot_id is None else sender.name,
        username=None if sender is None else sender.username,
        chat_ids=choice.chat_ids,
        thread_id=choice.thread_id,
    )


def knows(name: str) -> bool:
    """Whether this very name is a working bot with chats; the environment's own bot, which serves every name where
    it has chats, does not count."""
    workspace_id = workspace_id_in_scope()
    with system_scope(_WHY):
        rows = _rows(workspace_id, Asked(bot_name=name))
        return source_order.knows(name, [_known(row) for row in rows], _environment_of(workspace_id))


def _environment_of(workspace_id: int) -> Environment:
    """What the environment offers this workspace: everything to the instance's first, nothing to any other."""
    settings = config.get()
    if not settings.telegram_bot_token and not settings.telegram_bot_configs:
        return source_order.NOTHING
    with system_scope(_WHY):
        first = db.session.execute(select(func.min(Workspace.id))).scalar()
    if first != workspace_id:
        return source_order.NOTHING
    return Environment(settings.telegram_bot_configs, settings.telegram_bot_token, settings.telegram_chat_ids)


def still_named() -> ColumnElement[bool]:
    """What holds for rows of `TELEGRAM_BOT_CONFIGS` whose token is still there, and for all other senders."""
    hashes = [token_hash(entry.token.strip()) for entry in config.get().telegram_bot_configs]
    return or_(Sender.source != "configs", Sender.credentials_hash.in_(hashes))


def _rows(workspace_id: int, asked: Asked) -> list[Sender]:
    """The workspace's bots of that id or name: one, or none."""
    if asked.token is not None or (asked.bot_id is None and not (asked.bot_name or "").strip()):
        return []
    which = (
        Sender.id == asked.bot_id
        if asked.bot_id is not None
        else Sender.name_folded == source_order.folded(asked.bot_name or "")
    )
    query = select(Sender).where(
        Sender.workspace_id == workspace_id,
        Sender.channel == CHANNEL,
        Sender.source == "database",
        Sender.deleted_at.is_(None),
        which,
    )
    return list(db.session.execute(query).scalars())


def _known(row: Sender) -> KnownBot:
    return KnownBot(row.id, row.name, row.chat_ids, row.message_thread_id, row.is_active)


def _sender_of(workspace_id: int, choice: Choice, rows: Sequence[Sender]) -> Sender:
    if choice.bot_id is not None:
        return next(row for row in rows if row.id == choice.bot_id)
    if choice.level == "environment":
        default = linking.default_bot()
        if default is None:
            raise source_order.not_found()
        return default
    if choice.token is None:
        raise RuntimeError("a choice with neither a bot nor a token")
    return _of_token(workspace_id, choice.token, choice.level)


def _of_token(workspace_id: int, token: str, source: Level) -> Sender:
    """The workspace's row with this token, made where there is none.

    A bot that a person has switched off is not used: it is the bot that was switched off, and not its token.
    """
    sender = _by_token(workspace_id, token)
    if sender is None:
        sender = _make(workspace_id, token, source)
    elif sender.source == "arguments" and source == "configs":
        sender.source = source
        db.session.flush()
    return sender


def _by_token(workspace_id: int, token: str) -> Sender | None:
    query = (
        select(Sender)
        .where(
            Sender.workspace_id == workspace_id,
            Sender.channel == CHANNEL,
            Sender.credentials_hash == token_hash(token),
            Sender.deleted_at.is_(None),
            Sender.is_active | Sender.disabled_code.is_not(None),
        )
        .order_by(case(_SOURCES, value=Sender.source), Sender.id)
        .limit(1)
    )
    return db.session.execute(query).scalar_one_or_none()


def _make(workspace_id: int, token: str, source: Level) -> Sender:
    sender = Sender(
        workspace_id=workspace_id,
        channel=CHANNEL,
        source=source,
        name=f"bot {bot_id_of(token)}",
        is_active=True,
        facts={},
        created_at=clock.now(),
    )
    try:
        with db.session.begin_nested():
            senders.set_token(sender, token)
            db.session.add(sender)
    except IntegrityError:
        # Another process that uses the token for the first time was first.
        known = _by_token(workspace_id, token)
        if known is None:
            raise
        return known
    return sender
