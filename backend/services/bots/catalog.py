"""A workspace's own bots: made, shown, changed, removed.

A bot is a sender of Telegram's (`services.senders.catalog`) with the chats that it writes to. It is in one workspace of
an instance at a time, and a removed bot's row stays without its secrets; see decision 0021. Everything here is for the
workspace in scope.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from sqlalchemy import func, select

from backend.channels.base import SenderFacts
from backend.channels.telegram_bot import NAME as CHANNEL
from backend.channels.telegram_bot import bot_id_of
from backend.core.database import db, system_scope
from backend.core.errors import Conflict, Invalid, NotFound, field_error
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
_WHY: Final = "a sender is no tenant table"


def listing(*, cursor: str | None = None, limit: int = paging.DEFAULT_LIMIT) -> tuple[list[Sender], str | None]:
    """The workspace's bots, oldest first; neither the environment's nor removed ones."""
    return senders.listing(CHANNEL, cursor=cursor, limit=limit)


def get(bot_id: int, *, lock: bool = False) -> Sender:
    """A bot of the workspace. Raises NotFound(`bot_not_found`), also for another workspace's and a removed one."""
    try:
        return senders.get(CHANNEL, bot_id, lock=lock)
    except NotFound:
        raise source_order.not_found() from None


def create(by: Attribution, fields: Mapping[str, Any], facts: SenderFacts) -> Sender:
    """Adds a bot; `facts` are what Telegram said of its token just before.

    Raises Invalid naming each place at fault; Conflict: `bot_exists` for a name that is taken in any case,
    `token_in_use` for a bot that this instance has already, `too_many_bots`.
    """
    values = checked({"chat_ids": (), "is_active": True, **fields})
    caps.require_room("bots", select(func.count(Sender.id)).where(*senders.own(CHANNEL)))
    with _of_bots():
        bot = senders.create(
            CHANNEL, name=values["name"], token=values["token"], facts=facts, is_active=values["is_active"]
        )
    with system_scope(_WHY):
        _place(bot, values)
        db.session.flush()
    audit.record(by, "bot.created", f"sender:{bot.id}", name=bot.name)
    return bot


def change(by: Attribution, bot_id: int, fields: Mapping[str, Any], facts: SenderFacts | None = None) -> Sender:
    """Changes the fields that are named; `facts` as in `create`, where there is another token.

    A token of another bot is refused (Conflict, `another_bot`): chats and links belong to the account. Switching a bot
    on that Telegram had refused tries it again. Raises what `create` raises, and NotFound.
    """
    bot = get(bot_id, lock=True)
    given = {name: value for name, value in fields.items() if name in FIELDS and not _is_unchanged(bot, name, value)}
    if not given:
        return bot
    values = checked(_present(bot) | given)
    with _of_bots(), system_scope(_WHY):
        if "token" in given:
            senders.replace_token(bot, values["token"], facts)
        if {"chat_ids", "chat_type", "message_thread_id"} & given.keys():
            _place(bot, values)
        bot.name = values["name"]
        if "is_active" in given:
            bot.is_active, bot.disabled_code, bot.disabled_at = values["is_active"], None, None
        senders.flush_name()
        webhook_verifier.forget()
    audit.record(by, "bot.changed", f"sender:{bot.id}", fields=sorted(given))
    return bot


def remove(by: Attribution, bot_id: int) -> None:
    """Removes a bot: its name is free, its token, secret and chats are forgotten, its links end, and what waited is
    canceled (`bot_removed`). Its messages stay, and so does the row they point to. Raises NotFound."""
    bot = get(bot_id, lock=True)
    with system_scope(_WHY):
        linking.unlink_all_of(by, bot.id, "bot_removed")
        delivery.cancel_of_sender(bot.id, "bot_removed")
    senders.retire(bot)
    audit.record(by, "bot.removed", f"sender:{bot.id}", name=bot.name)


def check_account(bot: Sender, token: str) -> None:
    """Raises Conflict(`another_bot`) for a token of another account than the bot's."""
    with _of_bots():
        senders.check_account(bot, token)


def mask(token: str | None) -> str | None:
    """A token as it may be shown: whose it is, which the bot's own id tells anyway, and its last four characters."""
    return None if not token else f"{bot_id_of(token) or ''}:…{token[-4:]}"


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


@contextmanager
def _of_bots() -> Iterator[None]:
    """What senders refuse, in the words of bots."""
    try:
        yield
    except senders.SenderNameTaken:
        raise Conflict("bot_exists", "The workspace has a bot of that name.") from None
    except senders.AccountInUse as error:
        own = f", as “{error.own_name}”" if error.own_name is not None else ""
        raise Conflict("token_in_use", f"This instance has that bot already{own}.") from None
    except senders.AnotherAccount:
        raise Conflict("another_bot", "That token is another bot's. Remove this bot and add the other one.") from None
