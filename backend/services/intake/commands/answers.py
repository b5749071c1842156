"""Answering in a chat, within the limits of automatic answers; what is not answered says why."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from backend.channels.base import Content
from backend.core import clock
from backend.models import Conversation
from backend.services import delivery
from backend.services.delivery.bulk_insert import OutgoingMessage
from backend.services.intake import answer_limits as limits
from backend.services.intake.answer_limits import Answer, AnswerHistory
from backend.services.intake.commands.chat_store import ChatStore

UNLIMITED: Final = frozenset({"linked"})
"""Kinds of messages that are the outcome of a person's own act and happen once."""
_SHOWN_EVERY: Final = timedelta(seconds=limits.WINDOW_SECONDS)


@dataclass(frozen=True, slots=True)
class Answering:
    """The chat that is answered: when its event was received, the event's own message and whom the answer is for."""

    store: ChatStore
    conversation: Conversation
    received_at: datetime
    inbound_id: int | None = None
    user_id: int | None = None
    reply_to: str | None = None

    def send(self, content: Content, *, kind: str, slow_down: Content) -> None:
        """Stores an answer, or why there is none. The first of a minute that is left out for a reason is kept as a
        canceled message with it, unless the same answer comes anyway; `slow_down` is said once an hour to a chat that
        asks for too much."""
        now = clock.now()
        if kind in UNLIMITED:
            self._store(content, kind, now, now + delivery.REPLY_LIFE)
            return
        expires_at = self.received_at + limits.ANSWER_LIFE
        history, moment = self.store.history(self.conversation), now.timestamp()
        waiting = self.store.waiting(self.conversation, history)
        history.drop_old(moment, waiting)
        code = self.conversation.blocked_code or (limits.TOO_OLD if expires_at <= now else None)
        code = code or history.refusal(limits.digest_of(content), moment, waiting)
        if code is None:
            self._answer(history, content, kind, now, expires_at)
        else:
            self._leave_out(history, content, kind, now, code)
        if code in (limits.REPEATED, limits.TOO_MANY) and not history.is_recent(
            limits.SLOW_DOWN, moment, limits.SLOW_DOWN_EVERY
        ):
            history.note(limits.SLOW_DOWN, moment)
            self._answer(history, slow_down, "reply", now, expires_at)
        self.store.keep_history(self.conversation, history)

    def _answer(self, history: AnswerHistory, content: Content, kind: str, now: datetime, expires_at: datetime) -> None:
        digest = limits.digest_of(content)
        pause = history.pause(digest, now.timestamp())
        message_id = self._store(content, kind, now, expires_at, due_at=now + pause if pause else None)
        history.answers.append(Answer(now.timestamp(), digest, message_id))
        if kind == limits.HOW_TO:
            history.note(limits.HOW_TO, now.timestamp())

    def _leave_out(self, history: AnswerHistory, content: Content, kind: str, now: datetime, code: str) -> None:
        if self.inbound_id is not None:
            self.store.note_unanswered(self.conversation, self.inbound_id, code)
        if code != limits.WAITING and not history.is_recent(code, now.timestamp(), _SHOWN_EVERY):
            history.note(code, now.timestamp())
            self._store(content, kind, now, now, code=code)

    def _store(
        self,
        content: Content,
        kind: str,
        now: datetime,
        expires_at: datetime,
        *,
        due_at: datetime | None = None,
        code: str | None = None,
    ) -> int:
        return self.store.send(
            OutgoingMessage(
                self.conversation,
                content,
                kind,
                created_at=now,
                expires_at=expires_at,
                due_at=due_at,
                reason=limits.REPEATS if due_at is not None else "queued",
                user_id=self.user_id,
                reply_to=self.reply_to,
                canceled_code=code,
            )
        )
