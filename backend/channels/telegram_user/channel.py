"""The channel `telegram_user`: a person's account, over the connection that this process holds for it."""

from __future__ import annotations

from typing import Protocol

from backend.channels.base import Content, Credentials, Limits, Operation, Receipt, SenderFacts
from backend.channels.errors import Rejected, RetryLater
from backend.channels.forms import AS_MEANT, Form
from backend.channels.telegram_user import formatting, limits

NOT_CONNECTED_SECONDS = 2.0


class Connections(Protocol):
    """The connections of this process, by the accounts' sessions."""

    def perform(self, session: str, op: Operation, *, deadline: float) -> Receipt:
        """Carries out one operation over the session's connection. Raises one of the five channel errors."""

    def probe(self, session: str) -> SenderFacts:
        """Asks whose the session is. Raises one of the five channel errors."""


class TelegramUser:
    """See `backend.channels.base.Channel`. Only the process that has `connections` can carry anything out."""

    name = "telegram_user"

    def __init__(self, connections: Connections | None = None) -> None:
        self._connections = connections

    @property
    def limits(self) -> Limits:
        """What keeps an account from writing faster than a person does."""
        return limits.LIMITS

    def perform(self, credentials: Credentials, op: Operation, *, deadline: float) -> Receipt:
        """Carries out one operation over the account's connection."""
        if self._connections is None:
            raise RetryLater(NOT_CONNECTED_SECONDS, "not_connected")
        return self._connections.perform(credentials.token, op, deadline=deadline)

    def split(self, content: Content, form: Form = AS_MEANT, *, first: int = 0) -> list[Content]:
        """The contents that are one message each."""
        return formatting.split(content)

    def milder(self, op: Operation, refusal: Rejected) -> Form | None:
        """Nothing of a text is left out: it is accepted as it is, or not at all."""
        return None

    def probe(self, credentials: Credentials) -> SenderFacts:
        """The account behind the session."""
        if self._connections is None:
            raise RetryLater(NOT_CONNECTED_SECONDS, "not_connected")
        return self._connections.probe(credentials.token)
