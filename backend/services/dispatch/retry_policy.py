"""The retry policy: a pure function of the error and the row, with a table of cases in its tests."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from backend.channels.errors import (
    MAX_WAIT,
    ChannelError,
    OutcomeUnknown,
    RecipientUnreachable,
    RetryLater,
    SenderDisabled,
)
from backend.channels.forms import Form
from backend.core.backoff import Backoff
from backend.services.dispatch.repetition import Repetition

MAX_ATTEMPTS = 25
"""After so many tries a row is given up, also when each try killed its process."""

BACKOFF = Backoff(1.0, 300.0)
"""A row's own pauses."""
AWAY_BACKOFF = Backoff(1.0, 30.0)
"""The pauses of a sender whose provider cannot be reached."""


class Next(Enum):
    """What becomes of a delivery."""

    AGAIN = "again"
    MILDER = "milder"
    FAILED = "failed"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Decision:
    """`seconds` until it is due again; `pause` in seconds pauses the whole sender, `chat_pause` its chat."""

    next: Next
    code: str
    phase: str
    """The word for the attempts table."""
    seconds: float = 0.0
    pause: float = 0.0
    chat_pause: float = 0.0
    blocks_chat: bool = False
    disables_sender: bool = False
    moved_to: str | None = None
    detail: str = ""
    form: Form | None = None
    """The milder form in which it is said instead."""


def decide(
    error: ChannelError,
    *,
    attempts: int,
    at_most_once: bool,
    failures_in_row: int = 1,
    key: int | None = None,
    repetition: Repetition = Repetition.BY_KIND,
) -> Decision:
    """The consequence of a failed operation; `key` is the row's id, by which the pauses of several rows differ.

    Certain failures are tried again for every kind; an unknown outcome only where a repeat is allowed.
    """
    if isinstance(error, RetryLater):
        return _later(error, attempts, failures_in_row, key)
    if isinstance(error, RecipientUnreachable):
        return Decision(Next.FAILED, error.code, "unreachable", blocks_chat=error.disables_link, detail=error.detail)
    if isinstance(error, SenderDisabled):
        return Decision(Next.AGAIN, error.code, "sender_disabled", disables_sender=True, detail=error.detail)
    if isinstance(error, OutcomeUnknown):
        over = repetition is Repetition.OVER or (repetition is Repetition.ALLOWED and attempts >= MAX_ATTEMPTS)
        if over or (at_most_once and repetition is Repetition.BY_KIND):
            return Decision(Next.UNKNOWN, error.code, "unknown", detail=error.detail)
        if attempts >= MAX_ATTEMPTS:
            return Decision(Next.FAILED, "gave_up", "unknown", detail=error.code)
        return Decision(Next.AGAIN, error.code, "unknown", seconds=BACKOFF.seconds(attempts, key))
    return Decision(Next.FAILED, error.code, "rejected", detail=error.detail)


def in_form(refusal: ChannelError, form: Form) -> Decision:
    """The decision on a refusal that leaves a milder form: nothing was sent, so every kind is tried again."""
    return Decision(Next.MILDER, refusal.code, "milder", form=form)


def _later(error: RetryLater, attempts: int, failures_in_row: int, key: int | None) -> Decision:
    if error.moved_to is not None:
        # At once to the new id; a provider that moves a chat again and again is not followed in a tight loop.
        seconds = 0.0 if attempts <= 2 else BACKOFF.seconds(attempts, key)
        return Decision(Next.AGAIN, "chat_moved", "retry", seconds=seconds, moved_to=error.moved_to)
    if error.code == "deadline_passed":
        # Our own lease ran out before the write: the next holder sends it.
        return Decision(Next.AGAIN, error.code, "retry", seconds=1.0)
    if error.scope == "chat":
        seconds = Backoff(error.seconds, MAX_WAIT, factor=error.growth).seconds(min(attempts, MAX_ATTEMPTS + 1))
        return Decision(Next.AGAIN, error.code, "retry", seconds=seconds, chat_pause=seconds)
    # A provider that cannot be reached at all rests as a whole, or each waiting row would knock by itself.
    reached = error.code == "rate_limited"
    seconds = error.seconds if reached else max(error.seconds, AWAY_BACKOFF.seconds(failures_in_row, key))
    return Decision(Next.AGAIN, error.code, "retry", seconds=seconds, pause=seconds)
