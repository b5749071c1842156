"""Which bot a name means, and which chats go with it: a pure function of plain values.

Token and chats come from one level, the first that can serve: what the caller gave, the database,
`TELEGRAM_BOT_CONFIGS`, then `TELEGRAM_BOT_TOKEN` with `TELEGRAM_CHAT_IDS`. Only chats the caller gave may go with a
lower level's token. It reads neither the database nor the environment, and imports neither.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from backend.channels.telegram_bot.tokens import bot_id_of
from backend.core.config import BotConfig
from backend.core.errors import Conflict, Invalid, NotFound

Level = Literal["arguments", "database", "configs", "environment"]

DEFAULT: Final = "default"
"""The name that always means the environment's own bot, unless a bot of the workspace is called so."""
MAX_CHATS: Final = 100
_CHAT: Final = re.compile(r"-?[1-9][0-9]{0,17}|@[A-Za-z0-9_]{1,64}")


@dataclass(frozen=True, slots=True)
class KnownBot:
    """A bot of the database, as far as choosing needs it."""

    id: int
    name: str
    chat_ids: tuple[str, ...] = ()
    thread_id: str | None = None
    is_active: bool = True


@dataclass(frozen=True, slots=True)
class Asked:
    """What a caller named. Nothing at all means the environment's own bot."""

    bot_name: str | None = None
    bot_id: int | None = None
    token: str | None = field(default=None, repr=False)
    chat_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Environment:
    """What the environment offers: the entries of `TELEGRAM_BOT_CONFIGS`, the one token, its chats."""

    configs: tuple[BotConfig, ...] = ()
    token: str = field(default="", repr=False)
    chat_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Choice:
    """One level's bot and the chats to write to. `bot_id` is set at the level `database`, `token` at all others.
    `thread_id` is a forum topic, of a bot's own chat only."""

    level: Level
    chat_ids: tuple[str, ...]
    bot_id: int | None = None
    token: str | None = field(default=None, repr=False)
    thread_id: str | None = None


NOTHING: Final = Environment()


def choose(
    asked: Asked, bots: Iterable[KnownBot] = (), environment: Environment = NOTHING, *, need_chats: bool = True
) -> Choice:
    """The bot and the chats that are meant; without `need_chats` there need be none.

    A name means the database's active bot of that name, in any case; else the entry of `TELEGRAM_BOT_CONFIGS`; else
    the environment's own bot where it has chats of its own, which then serves every name. `default`, or no name,
    means the environment's own bot even without chats. A bot that is switched off lets an entry of its own name in
    `TELEGRAM_BOT_CONFIGS` take over and nothing else: whoever switched it off did not mean "say it elsewhere".

    Raises NotFound(`bot_not_found`), Conflict(`bot_inactive`), Invalid(`no_chats`, `bad_chat_id`, `bad_token`).
    """
    choice = _choice(asked, bots, environment)
    if need_chats and not choice.chat_ids:
        raise no_chats()
    return choice


def _choice(asked: Asked, bots: Iterable[KnownBot], environment: Environment) -> Choice:
    chats = parse_chats(asked.chat_ids)
    if asked.token is not None:
        return Choice("arguments", chats, token=checked_token(asked.token))
    if asked.bot_id is not None:
        return _of_database(_by_id(asked.bot_id, bots), chats)
    wanted = folded(asked.bot_name or "")
    named = next((bot for bot in bots if folded(bot.name) == wanted), None) if wanted else None
    if named is not None and named.is_active:
        return _of_database(named, chats)
    entry = next((entry for entry in environment.configs if folded(entry.name) == wanted), None) if wanted else None
    if entry is not None:
        # Nobody but the operator writes this variable, so what is wrong with it is said where it is used.
        own = chats or parse_chats(split_chats(entry.chat_ids))
        return Choice("configs", own, token=checked_token(entry.token))
    if named is not None:
        raise inactive()
    if environment.token and (wanted in ("", DEFAULT) or environment.chat_ids):
        own = chats or parse_chats(environment.chat_ids)
        return Choice("environment", own, token=checked_token(environment.token))
    raise not_found()


def knows(name: str, bots: Iterable[KnownBot] = (), environment: Environment = NOTHING) -> bool:
    """Whether this very name is a working bot's: the environment's own bot, which serves every name, does not count."""
    wanted = folded(name)
    return any(folded(bot.name) == wanted and bot.is_active and bot.chat_ids for bot in bots) or any(
        folded(entry.name) == wanted and entry.chat_ids.strip() for entry in environment.configs
    )


def folded(name: str) -> str:
    """A name as names are compared: in any case, without spaces around it."""
    return name.strip().casefold()


def split_chats(joined: str) -> tuple[str, ...]:
    """The parts of a list with commas, as the environment writes it."""
    return tuple(part.strip() for part in joined.split(",") if part.strip())


def parse_chats(given: Sequence[str]) -> tuple[str, ...]:
    """Chat ids in their order, each once. Names are kept in lower case: Telegram does not tell them apart by case.

    Raises Invalid(`bad_chat_id`) without repeating what was given, and over 100 of them.
    """
    chats: dict[str, None] = {}
    for place, value in enumerate(given):
        text = value.strip() if isinstance(value, str) else ""
        if not _CHAT.fullmatch(text):
            message = "A chat is a number such as -1001234567890, or a public name such as @example."
            raise Invalid.of(f"chat_ids.{place}", "bad_chat_id", message)
        chats[text.lower()] = None
    if len(chats) > MAX_CHATS:
        message = f"At most {MAX_CHATS} chats can be written to at once."
        raise Invalid.of("chat_ids", "bad_chat_id", message)
    return tuple(chats)


def checked_token(token: str) -> str:
    """The token if it has a token's form. Raises Invalid(`bad_token`), which never shows it."""
    stripped = token.strip()
    if bot_id_of(stripped) is None:
        message = "That is not a bot's token; it looks like 123456:EXAMPLE-NOT-A-REAL-TOKEN."
        raise Invalid.of("token", "bad_token", message)
    return stripped


def not_found() -> NotFound:
    """No bot of that name or id, whoever else may have one."""
    return NotFound("bot_not_found", "There is no such bot.")


def inactive() -> Conflict:
    """The bot is there and does not work at present."""
    return Conflict("bot_inactive", "This bot is switched off, or Telegram refuses its token.")


def no_chats() -> Invalid:
    """Nobody has said where."""
    message = "There is no chat to write to: the bot has none, and none was given."
    return Invalid.of("chat_ids", "no_chats", message)


def _by_id(bot_id: int, bots: Iterable[KnownBot]) -> KnownBot:
    known_bot = next((bot for bot in bots if bot.id == bot_id), None)
    if known_bot is None:
        raise not_found()
    if not known_bot.is_active:
        raise inactive()
    return known_bot


def _of_database(bot: KnownBot, chats: tuple[str, ...]) -> Choice:
    # A topic belongs to the bot's own chat, not to one that the caller names.
    thread = None if chats else bot.thread_id
    return Choice("database", chats or bot.chat_ids, bot_id=bot.id, thread_id=thread)
