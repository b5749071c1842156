"""A workspace's own bots: made, shown, changed, removed.

A sender is one bot account at Telegram, so a bot is in one workspace of an instance at a time, and its row keeps to
that account. A removed bot's row stays without its secrets, because messages point to it; see decision 0021.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any, Final

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError

from backend.channels.base import SenderFacts
from backend.core import clock
from backend.core.database import db, system_scope
from backend.core.errors import Conflict, Invalid, field_error
from backend.models import Sender
from backend.services import caps, delivery, linking, paging, senders
from backend.services.auth import audit
from backend.services.auth.attribution import Attribution
from backend.services.bots import source_order
from backend.services.bots import subscribers as subscribers
from backend.services.senders import webhook_verifier

FIELDS: Final = ("name", "token", "chat_ids", "chat_type", "message_thread_id", "is_active")
CHAT_TYPES: Final = ("private", "group", "supergroup", "channel")
_NAME: Final = re.compile(r"(?![0-9]+$)[^@\s][^\x00-\x1f\x7f]{0,99}")
_THREAD: Final = re.compile(r"[1-9][0-9]{0,17}")
_LOCKS: Final = 0x424F5453
"""The class of this feature's advisory locks."""
_WHY: Final = "bots are kept apart by their owner, below"


def listing(
    workspace_id: int, *, cursor: str | None = None, limit: int = paging.DEFAULT_LIMIT
) -> tuple[list[Sender], str | None]:
    """The workspace's bots, oldest first; neither the environment's nor removed ones."""
    with system_scope(_WHY):
        query = select(Sender).where(*_own(workspace_id))
        return paging.page(query, Sender.id, cursor=cursor, limit=limit, descending=False)


def get(workspace_id: int, bot_id: int, *, lock: bool = False) -> Sender:
    """A bot of the workspace. Raises NotFound(`bot_not_found`), also for another workspace's and a removed one."""
    query = select(Sender).where(Sender.id == bot_id, *_own(workspace_id))
    if lock:
        query = query.with_for_update().execution_options(populate_existing=True)
    with system_scope(_WHY):
        bot = db.session.execute(query).scalar_one_or_none()
    if bot is None:
        raise source_order.not_found()
    return bot


def create(actor_label: str, workspace_id: int, fields: Mapping[str, Any], facts: SenderFacts) -> Sender:
    """Adds a bot; `facts` are what Telegram said of its token just before.

    Raises Invalid naming each place at fault; Conflict: `bot_exists` for a name that is taken in any case,
    `token_in_use` for a bot that this instance has already, `too_many_bots`.
    """
    values = checked({"chat_ids": (), "is_active": True, **fields})
    with system_scope(_WHY):
        caps.require_room("bots", select(func.count(Sender.id)).where(*_own(workspace_id)), workspace_id=workspace_id)
        _refuse_second(workspace_id, values["token"])
        bot = Sender(
            workspace_id=workspace_id,
            channel=senders.CHANNEL,
            source="database",
            name=values["name"],
            is_active=values["is_active"],
            facts={},
            created_at=clock.now(),
        )
        senders.set_token(bot, values["token"])
        _place(bot, values)
        senders.keep_facts(bot, facts)
        db.session.add(bot)
        _flush_name()
        audit.record(actor_label, "bot.created", f"sender:{bot.id}", workspace_id, name=bot.name)
    return bot


def change(
    actor_label: str, workspace_id: int, bot_id: int, fields: Mapping[str, Any], facts: SenderFacts | None = None
) -> Sender:
    """Changes the fields that are named; `facts` as in `create`, where there is another token.

    A token of another bot is refused (Conflict, `another_bot`): chats and links belong to the account. Switching a bot
    on that Telegram had refused tries it again. Raises what `create` raises, and NotFound.
    """
    with system_scope(_WHY):
        bot = get(workspace_id, bot_id, lock=True)
        given = {
            name: value for name, value in fields.items() if name in FIELDS and not _is_unchanged(bot, name, value)
        }
        if not given:
            return bot
        values = checked(_present(bot) | given)
        if "token" in given:
            check_account(bot, values["token"])
            senders.set_token(bot, values["token"])
            if facts is not None:
                senders.keep_facts(bot, facts)
        if {"chat_ids", "chat_type", "message_thread_id"} & given.keys():
            _place(bot, values)
        bot.name = values["name"]
        if "is_active" in given:
            bot.is_active, bot.disabled_code, bot.disabled_at = values["is_active"], None, None
        _flush_name()
        webhook_verifier.forget()
        audit.record(actor_label, "bot.changed", f"sender:{bot.id}", workspace_id, fields=sorted(given))
    return bot


def remove(actor_label: str, workspace_id: int, bot_id: int) -> None:
    """Removes a bot: its name is free, its token, secret and chats are forgotten, its links end, and what waited is
    canceled (`bot_removed`). Its messages stay, and so does the row they point to. Raises NotFound."""
    with system_scope(_WHY):
        bot = get(workspace_id, bot_id, lock=True)
        linking.unlink_all_of(Attribution("api", actor_label), bot.id, "bot_removed")
        delivery.cancel_of_sender(bot.id, "bot_removed")
        bot.is_active, bot.disabled_code, bot.disabled_at = False, None, None
        bot.credentials = bot.webhook_secret = bot.joined_chat_ids = None
        bot.credentials_hash = None
        bot.facts = {}
        bot.deleted_at = clock.now()
        db.session.flush()
        webhook_verifier.forget()
        audit.record(actor_label, "bot.removed", f"sender:{bot.id}", workspace_id, name=bot.name)


def check_account(bot: Sender, token: str) -> None:
    """Raises Conflict(`another_bot`) for a token of another account than the bot's."""
    if senders.bot_id_of(token) != bot.external_id:
        raise Conflict("another_bot", "That token is another bot's. Remove this bot and add the other one.")


def mask(token: str | None) -> str | None:
    """A token as it may be shown: whose it is, which the bot's own id tells anyway, and its last four characters."""
    return None if not token else f"{senders.bot_id_of(token) or ''}:…{token[-4:]}"


def checked(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields in the form they are stored in. Raises Invalid naming each place at fault."""
    faults: list[dict[str, str]] = []
    values = dict(fields)
    name = str(values.get("name") or "").strip()
    if not _NAME.fullmatch(name):
        message = "A name is one line of at most 100 characters that begins with no @ and is no number."
        faults.append(field_error("name", "name_malformed", message))
    values["name"] = name
    for field, check in (("token", source_order.checked_token), ("chat_ids", source_order.parse_chats)):
        try:
            values[field] = check(values.get(field) or "")
        except Invalid as error:
            faults += error.field_errors()
    kind, thread = values.get("chat_type"), values.get("message_thread_id")
    if kind is not None and kind not in CHAT_TYPES:
        faults.append(field_error("chat_type", "unknown_chat_type", f"One of {', '.join(CHAT_TYPES)}."))
    faults += thread_faults(thread, values.get("chat_ids") or ())
    if faults:
        raise Invalid.of_fields(faults)
    return values


def thread_faults(thread_id: object, chat_ids: Collection[str]) -> list[dict[str, str]]:
    """What is wrong with a topic for these chats."""
    if thread_id is None:
        return []
    if not _THREAD.fullmatch(str(thread_id)):
        return [field_error("message_thread_id", "bad_thread_id", "A topic's id is a positive number.")]
    if len(chat_ids) != 1:
        message = "A topic belongs to one chat: with a topic, name exactly that chat."
        return [field_error("message_thread_id", "thread_needs_one_chat", message)]
    return []


def _own(workspace_id: int) -> tuple[Any, ...]:
    return (
        Sender.workspace_id == workspace_id,
        Sender.channel == senders.CHANNEL,
        Sender.source == "database",
        Sender.deleted_at.is_(None),
    )


def _present(bot: Sender) -> dict[str, Any]:
    return {
        "name": bot.name,
        "token": bot.credentials,
        "chat_ids": bot.chat_ids,
        "chat_type": bot.chat_type,
        "message_thread_id": bot.message_thread_id,
        "is_active": bot.is_active,
    }


def _is_unchanged(bot: Sender, name: str, value: Any) -> bool:
    """Whether this is what the bot has already; a token also as it is shown, so that what was read can be sent back."""
    if name == "token":
        return value in (bot.credentials, mask(bot.credentials))
    if name == "is_active":
        # Switching on what Telegram had refused is a request to try again, and switching it off a person's word.
        return value is bot.is_active and bot.disabled_code is None
    present = _present(bot)[name]
    return bool(value == present or (name == "chat_ids" and tuple(value or ()) == present))


def _place(bot: Sender, values: Mapping[str, Any]) -> None:
    """Where the bot writes. What was known of other chats is forgotten."""
    chats: tuple[str, ...] = values["chat_ids"]
    if chats != bot.chat_ids:
        bot.facts = {name: value for name, value in bot.facts.items() if name != "chats"}
    bot.chat_ids = chats
    bot.chat_type = values.get("chat_type")
    thread = values.get("message_thread_id")
    bot.message_thread_id = None if thread is None else str(thread)


def _refuse_second(workspace_id: int, token: str) -> None:
    """One bot account has one webhook and one pace, so it cannot be two bots of one instance."""
    account = senders.bot_id_of(token) or ""
    db.session.execute(select(func.pg_advisory_xact_lock(_LOCKS, int(account or 0) & 0x7FFFFFFF)))
    known = db.session.scalars(
        select(Sender).where(
            Sender.channel == senders.CHANNEL,
            Sender.external_id == account,
            Sender.source.in_(("database", "environment")),
            Sender.deleted_at.is_(None),
            Sender.disabled_code.is_distinct_from(senders.NOT_CONFIGURED),
        )
    ).first()
    if known is None:
        return
    own = f", as “{known.name}”" if known.workspace_id == workspace_id else ""
    raise Conflict("token_in_use", f"This instance has that bot already{own}.")


def _flush_name() -> None:
    try:
        db.session.flush()
    except IntegrityError as error:
        if "uq_senders_name" not in str(error.orig):
            raise
        raise Conflict("bot_exists", "The workspace has a bot of that name.") from None
