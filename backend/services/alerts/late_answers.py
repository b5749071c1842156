"""Answers that are late, as alerts: the inbox publishes that one is, and need not know of this."""

from __future__ import annotations

from typing import Final

from backend.core import config, events
from backend.core.database import db, workspace_scope
from backend.models import User
from backend.services.alerts.ingest import api_input
from backend.services.inbox.events import AnswerLate, AnswerNoLongerLate

_TITLES: Final = {"first_response": "First answer is late", "next_response": "Next answer is late"}


def on_answer_late(event: AnswerLate) -> None:
    """Nobody has answered in time, in the transaction that notes it. Nobody's words or names are part of it."""
    with workspace_scope(event.workspace_id):
        assignee = db.session.get(User, event.assignee_id) if event.assignee_id is not None else None
        api_input.raise_alert(
            f"{_TITLES[event.kind]}: conversation {event.conversation_id}",
            f"{config.get().site_url}/console/inbox/{event.conversation_id}",
            severity="warning",
            key=_key(event.conversation_id),
            labels={"check": "late_answer", "assignee": assignee.name if assignee is not None else "nobody"},
            bot_name=api_input.BOT,
        )


def on_answer_no_longer_late(event: AnswerNoLongerLate) -> None:
    """Somebody has answered, or no answer is needed."""
    with workspace_scope(event.workspace_id):
        api_input.raise_alert(
            f"Conversation {event.conversation_id}",
            key=_key(event.conversation_id),
            bot_name=api_input.BOT,
            resolved=True,
        )


def _key(conversation_id: int) -> str:
    return f"late_answer:conversation:{conversation_id}"


events.subscribe(AnswerLate, on_answer_late)
events.subscribe(AnswerNoLongerLate, on_answer_no_longer_late)
