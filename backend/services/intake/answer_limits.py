"""How often a chat is answered by itself: pure functions of what was answered there lately.

A person who asks the same again while the answer waits is answered once; one who goes on asking is answered more
seldom, and asked once to go slower. The history is a JSON value kept with the conversation, and stays short however
long a flood is.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

from backend.channels.base import Content
from backend.core.crypto import digest

WINDOW_SECONDS: Final = 60.0
REPEATS_LIMITED_AFTER: Final = 5
"""So many answers within a minute, and the same text goes at most once a minute."""
MAX_PER_MINUTE: Final = 20
REPEAT_PAUSE: Final = timedelta(seconds=3)
"""How much later an answer goes for each time that the chat had the same within a minute: others go first."""
ANSWER_LIFE: Final = timedelta(minutes=10)
"""How long after its command an answer is still worth sending."""
SLOW_DOWN_EVERY: Final = timedelta(hours=1)
HINT_EVERY: Final = timedelta(hours=1)
_MAX_KEPT: Final = 40

HOW_TO: Final = "how_to"
SLOW_DOWN: Final = "slow_down"
"""Moments of a history: when it was last said how to link, and to go slower."""

REPEATS: Final = "repeated_answer"
"""Why an answer waits."""
WAITING: Final = "answer_waiting"
REPEATED: Final = "answer_repeated"
TOO_MANY: Final = "too_many_answers"
TOO_OLD: Final = "command_too_old"


@dataclass(frozen=True, slots=True)
class Answer:
    """One automatic answer: when it was stored (unix seconds), a digest of what it says, and its message."""

    at: float
    digest: str
    message_id: int


@dataclass(slots=True)
class AnswerHistory:
    """What a chat was answered lately. `moments` says when something was last done, by name (unix seconds)."""

    answers: list[Answer] = field(default_factory=list)
    moments: dict[str, float] = field(default_factory=dict)
    presses: list[float] = field(default_factory=list)
    """When pressed buttons were answered (unix seconds)."""

    @classmethod
    def from_json(cls, value: Mapping[str, Any] | None) -> AnswerHistory:
        """The history that a conversation holds; empty for None."""
        if not value:
            return cls()
        answers = [Answer(*answer) for answer in value.get("answers", ())]
        return cls(answers, dict(value.get("moments", {})), list(value.get("presses", ())))

    def to_json(self, ids: Mapping[int, int] | None = None) -> dict[str, Any]:
        """The value to keep; `ids` are the messages' ids by those they had before they were stored."""
        known = ids or {}
        answers = [
            [answer.at, answer.digest, known.get(answer.message_id, answer.message_id)]
            for answer in self.answers[-_MAX_KEPT:]
        ]
        return {"answers": answers, "moments": self.moments, "presses": self.presses}

    def drop_old(self, now: float, waiting: Collection[int]) -> None:
        """Forgets the answers of more than a minute ago that were sent, and those that have expired."""
        since, expired = now - WINDOW_SECONDS, now - ANSWER_LIFE.total_seconds()
        self.answers = [
            answer
            for answer in self.answers
            if answer.at > since or (answer.message_id in waiting and answer.at > expired)
        ]

    def refusal(self, digest: str, now: float, waiting: Collection[int]) -> str | None:
        """Why an answer is not given now: a code; None where it is. `waiting` are the messages not sent yet."""
        if any(answer.digest == digest and answer.message_id in waiting for answer in self.answers):
            return WAITING
        recent = [answer for answer in self.answers if answer.at > now - WINDOW_SECONDS]
        if len(recent) >= REPEATS_LIMITED_AFTER and any(answer.digest == digest for answer in recent):
            return REPEATED
        # The last place of the minute is kept for the word that asks to go slower.
        kept = 0 if self.is_recent(SLOW_DOWN, now, SLOW_DOWN_EVERY) else 1
        return TOO_MANY if len(recent) >= MAX_PER_MINUTE - kept else None

    def takes_press(self, now: float) -> bool:
        """Notes a pressed button that is answered; False where as many were within a minute as may be."""
        self.presses = [moment for moment in self.presses if moment > now - WINDOW_SECONDS]
        if len(self.presses) >= MAX_PER_MINUTE:
            return False
        self.presses.append(now)
        return True

    def pause(self, digest: str, now: float) -> timedelta:
        """How much later than at once an answer goes: nothing for the first of its text within a minute."""
        since = now - WINDOW_SECONDS
        return REPEAT_PAUSE * sum(answer.digest == digest and answer.at > since for answer in self.answers)

    def is_recent(self, name: str, now: float, age: timedelta) -> bool:
        """Whether this was done not longer ago than `age`."""
        return self.moments.get(name, float("-inf")) > now - age.total_seconds()

    def note(self, name: str, now: float) -> None:
        """Notes that something is done now."""
        self.moments[name] = now


def digest_of(content: Content) -> str:
    """What tells two answers apart."""
    return digest(repr(content)).hex()[:16]
