"""Asking Telegram about a bot: connections of their own, apart from those that send messages.

A person waits for most of these answers, so `quick` gives up soon. `patient` is for long polling. Within a web request
both ask through `questions`, which keeps a provider that hangs from taking the web threads.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from functools import lru_cache, partial
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from backend.channels import registry
from backend.channels.base import Credentials, SenderFacts
from backend.channels.inbound import Chat
from backend.channels.telegram_bot import Administration, BotClient
from backend.channels.telegram_bot.administration import BotCommand, Member, WebhookInfo
from backend.channels.transport import Timeouts
from backend.core import clock, config
from backend.core.database import db
from backend.models import Sender, SenderLease
from backend.services.senders import questions
from backend.services.senders.access import CHANNEL
from backend.services.senders.credentials import token_hash
from backend.services.senders.questions import Questions

_QUICK = Timeouts(connect=2.0, read=4.0, total=6.0)
_PATIENT = Timeouts(connect=5.0, read=20.0, total=60.0)
_FILES = Timeouts(connect=5.0, read=15.0, total=30.0)
_QUICK_PATIENCE: Final = 7.0
_CHANGE_PATIENCE: Final = 20.0


def quick() -> Administration:
    """For requests that a person waits for: an answer within about six seconds, or an error."""
    return _administration(_QUICK)


def patient() -> Administration:
    """For polling and the command line."""
    return _administration(_PATIENT)


def for_files() -> Administration:
    """For downloading what people sent: half a minute at most."""
    return _administration(_FILES)


def who_is(channel: str, credentials: Credentials) -> SenderFacts:
    """Who the credentials belong to, for somebody who waits. Raises one of the five channel errors, and NotAsked within
    a web request."""
    if channel == CHANNEL:
        return quick().get_me(credentials.token)
    return registry.get(channel).probe(credentials)


def forget() -> None:
    """Forgets every answer and how providers have answered of late; for tests."""
    _questions.cache_clear()


def _administration(timeouts: Timeouts) -> Administration:
    settings = config.get()
    plain = _at(settings.telegram_api_url, timeouts)
    if questions.who_waits() is None:
        return plain
    # Whatever they are asked for, questions leave most of the web threads to everybody else.
    return _Guarded(plain, _questions(settings.telegram_api_url, max(1, settings.web_threads // 4)))


@lru_cache(maxsize=8)
def _at(url: str, timeouts: Timeouts) -> Administration:
    return Administration(BotClient(url, pool_size=4, timeouts=timeouts))


@lru_cache(maxsize=8)
def _questions(url: str, most: int) -> Questions:
    return Questions(most)


class _Guarded(Administration):
    """The same methods, each asked through `questions`. Raises NotAsked beside what they raise."""

    def __init__(self, plain: Administration, questions: Questions) -> None:
        self._plain = plain
        self._guard = questions

    def get_me(self, token: str) -> SenderFacts:
        facts: SenderFacts = self._read(token, "getMe", lambda: self._plain.get_me(token))
        return facts

    def get_webhook_info(self, token: str) -> WebhookInfo:
        info: WebhookInfo = self._read(token, "getWebhookInfo", lambda: self._plain.get_webhook_info(token))
        return info

    def get_chat(self, token: str, chat: str) -> Chat:
        info: Chat = self._read(token, ("getChat", chat), lambda: self._plain.get_chat(token, chat))
        return info

    def get_chat_member(self, token: str, chat: str, user_id: str) -> Member:
        name = ("getChatMember", chat, user_id)
        member: Member = self._read(token, name, lambda: self._plain.get_chat_member(token, chat, user_id))
        return member

    def get_chat_administrators(self, token: str, chat: str) -> list[Member]:
        name = ("getChatAdministrators", chat)
        members: list[Member] = self._read(token, name, lambda: self._plain.get_chat_administrators(token, chat))
        return members

    def get_updates(self, token: str, **options: Any) -> list[dict[str, Any]]:
        # Asked again after somebody has written to the bot: an answer of half a minute ago would be the wrong one.
        call = partial(self._plain.get_updates, token, **options)
        updates: list[dict[str, Any]] = self._read(token, "getUpdates", call, kept=0.0)
        return updates

    def set_webhook(self, token: str, url: str, secret: str, **options: Any) -> None:
        self._change(token, "setWebhook", lambda: self._plain.set_webhook(token, url, secret, **options))

    def delete_webhook(self, token: str, *, drop_pending: bool = False) -> None:
        self._change(token, "deleteWebhook", lambda: self._plain.delete_webhook(token, drop_pending=drop_pending))

    def set_my_commands(self, token: str, commands: Sequence[BotCommand], *, language: str | None = None) -> None:
        self._change(token, "setMyCommands", lambda: self._plain.set_my_commands(token, commands, language=language))

    def _read(self, token: str, question: Hashable, call: Callable[[], Any], kept: float | None = None) -> Any:
        if kept is None:
            # Who presses a button wants to know how it is now.
            kept = questions.KEPT_SECONDS if questions.who_waits() == "looks" else 0.0
        bot = token_hash(token)
        paused = partial(_paused_for, bot)
        return self._guard.ask(bot, question, call, patience=_QUICK_PATIENCE, kept=kept, paused=paused)

    def _change(self, token: str, question: Hashable, call: Callable[[], Any]) -> Any:
        bot = token_hash(token)
        paused = partial(_paused_for, bot)
        return self._guard.ask(bot, question, call, patience=_CHANGE_PATIENCE, changes=True, paused=paused)


def _paused_for(bot: bytes) -> float:
    """Seconds for which the provider has asked the bot to be quiet (a 429 that sending has met); 0 where it has not."""
    query = (
        select(SenderLease.paused_until)
        .join(Sender, Sender.id == SenderLease.sender_id)
        .where(Sender.credentials_hash == bot, SenderLease.paused_until > clock.now())
        .order_by(SenderLease.paused_until.desc())
        .limit(1)
    )
    try:
        with db.engine.connect() as connection:
            until = connection.execute(query).scalar()
    except (DBAPIError, PoolTimeout):
        return 0.0
    return 0.0 if until is None else (until - clock.now()).total_seconds()
