"""Asking the provider of a channel about senders: connections of their own, apart from those that send messages.

A person waits for most of these answers, so `quick` gives up soon. `patient` is for long polling. Within a web request
both ask through `questions`, which keeps a provider that hangs from taking the web threads.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from functools import lru_cache, partial
from typing import BinaryIO, Final, TypeVar, cast

from sqlalchemy import select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from backend.channels import registry
from backend.channels.base import Credentials, SenderFacts
from backend.channels.inbound import Chat
from backend.channels.provider import Member, ProbeOnly, Provider, WebhookRegistration, WebhookStatus
from backend.channels.transport import Timeouts
from backend.core import clock, config
from backend.core.database import db
from backend.models import Sender, SenderLease
from backend.services.senders import questions
from backend.services.senders.credentials import token_hash
from backend.services.senders.questions import Questions

_QUICK: Final = Timeouts(connect=2.0, read=4.0, total=6.0)
_PATIENT: Final = Timeouts(connect=5.0, read=20.0, total=60.0)
_FILES: Final = Timeouts(connect=5.0, read=15.0, total=30.0)
_QUICK_PATIENCE: Final = 7.0
_CHANGE_PATIENCE: Final = 20.0

Answer = TypeVar("Answer")


def quick(channel: str) -> GuardedProvider:
    """For requests that a person waits for: an answer within about six seconds, or an error."""
    return _guarded(channel, _QUICK)


def patient(channel: str) -> GuardedProvider:
    """For polling and the command line."""
    return _guarded(channel, _PATIENT)


def for_files(channel: str) -> GuardedProvider:
    """For downloading what people sent: half a minute at most."""
    return _guarded(channel, _FILES)


def forget() -> None:
    """Forgets every answer and how providers have answered of late; for tests."""
    _questions.cache_clear()


class GuardedProvider(Provider):
    """A channel's provider; with `questions`, asked through them. Raises NotAsked beside what its methods raise.

    What a single channel has beside the interface is asked by `read` and changed by `change`.
    """

    def __init__(self, plain: Provider, questions: Questions | None) -> None:
        self.plain = plain
        self._questions = questions

    @property
    def address(self) -> str:
        """Where the provider is reached."""
        return self.plain.address

    def probe(self, credentials: Credentials) -> SenderFacts:
        return self.read(credentials, "probe", lambda: self.plain.probe(credentials))

    def refusal_of(self, address: str) -> str | None:
        return self.plain.refusal_of(address)

    def register_webhook(
        self, credentials: Credentials, registration: WebhookRegistration, *, drop_pending: bool = False
    ) -> None:
        call = partial(self.plain.register_webhook, credentials, registration, drop_pending=drop_pending)
        self.change(credentials, "register_webhook", call)

    def unregister_webhook(self, credentials: Credentials, *, drop_pending: bool = False) -> None:
        call = partial(self.plain.unregister_webhook, credentials, drop_pending=drop_pending)
        self.change(credentials, "unregister_webhook", call)

    def webhook_status(self, credentials: Credentials) -> WebhookStatus:
        return self.read(credentials, "webhook_status", lambda: self.plain.webhook_status(credentials))

    def chat(self, credentials: Credentials, chat_id: str) -> Chat:
        return self.read(credentials, ("chat", chat_id), lambda: self.plain.chat(credentials, chat_id))

    def members(self, credentials: Credentials, chat_id: str) -> list[Member]:
        return self.read(credentials, ("members", chat_id), lambda: self.plain.members(credentials, chat_id))

    def member(self, credentials: Credentials, chat_id: str, person_id: str) -> Member:
        question = ("member", chat_id, person_id)
        return self.read(credentials, question, lambda: self.plain.member(credentials, chat_id, person_id))

    def download(self, credentials: Credentials, file_id: str, sink: BinaryIO, *, max_bytes: int) -> int:
        # Never asked within a web request: a file takes longer than anybody waits for a page.
        return self.plain.download(credentials, file_id, sink, max_bytes=max_bytes)

    def take_control(self, credentials: Credentials, chat_id: str) -> None:
        self.change(credentials, ("take_control", chat_id), lambda: self.plain.take_control(credentials, chat_id))

    def pass_control(self, credentials: Credentials, chat_id: str, application_id: str) -> None:
        call = partial(self.plain.pass_control, credentials, chat_id, application_id)
        self.change(credentials, ("pass_control", chat_id), call)

    def read(
        self, credentials: Credentials, question: Hashable, call: Callable[[], Answer], *, kept: float | None = None
    ) -> Answer:
        """The answer to a question of this sender: one that is at most `kept` seconds old, or `call`'s. By default as
        old as who asks may see: half a minute for who reads a page, nothing for who presses a button."""
        if self._questions is None:
            return call()
        if kept is None:
            kept = questions.KEPT_SECONDS if questions.who_waits() == "looks" else 0.0
        account = token_hash(credentials.token)
        paused = partial(_paused_for, account)
        answer = self._questions.ask(account, question, call, patience=_QUICK_PATIENCE, kept=kept, paused=paused)
        return cast(Answer, answer)

    def change(self, credentials: Credentials, question: Hashable, call: Callable[[], None]) -> None:
        """Carries out `call`, which changes something at the provider; what was known of the sender is forgotten."""
        if self._questions is None:
            call()
            return
        account = token_hash(credentials.token)
        paused = partial(_paused_for, account)
        self._questions.ask(account, question, call, patience=_CHANGE_PATIENCE, changes=True, paused=paused)


def _guarded(channel: str, timeouts: Timeouts) -> GuardedProvider:
    connect = registry.spec(channel).provider
    plain = ProbeOnly(registry.get(channel)) if connect is None else connect(timeouts)
    if questions.who_waits() is None:
        return GuardedProvider(plain, None)
    # Whatever they are asked for, questions leave most of the web threads to everybody else.
    most = max(1, config.get().web_threads // 4)
    return GuardedProvider(plain, _questions(channel, plain.address, most))


@lru_cache(maxsize=32)
def _questions(channel: str, address: str, most: int) -> Questions:
    return Questions(most)


def _paused_for(account: bytes) -> float:
    """Seconds for which the provider has asked the sender to be quiet (a 429 that sending has met); 0 where it has
    not."""
    query = (
        select(SenderLease.paused_until)
        .join(Sender, Sender.id == SenderLease.sender_id)
        .where(Sender.credentials_hash == account, SenderLease.paused_until > clock.now())
        .order_by(SenderLease.paused_until.desc())
        .limit(1)
    )
    try:
        with db.engine.connect() as connection:
            until = connection.execute(query).scalar()
    except (DBAPIError, PoolTimeout):
        return 0.0
    return 0.0 if until is None else (until - clock.now()).total_seconds()
