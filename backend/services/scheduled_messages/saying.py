"""Saying a scheduled message when its schedule fires: the messages and the end of the fire are stored together."""

from __future__ import annotations

import json
from typing import Any, Final

from backend.channels.base import Content
from backend.core import clock, events
from backend.core.database import db
from backend.core.errors import NotFound
from backend.models import JobRun, Message, ScheduledMessage
from backend.services import scheduling
from backend.services.bots.resolution import Target, resolve
from backend.services.bots.sending import say
from backend.services.scheduling import Fire

JOB: Final = "scheduled_message"
KIND: Final = "scheduled"


def target_of(message: ScheduledMessage) -> Target:
    """The bot and the chats as they are now. Raises what `bots.resolution.resolve` raises."""
    return resolve(message.workspace_id, bot_name=message.bot_name, chat_ids=chat_ids_of(message) or ())


def chat_ids_of(message: ScheduledMessage) -> list[str] | None:
    """The chats it names; None where it goes to the bot's own."""
    sealed = message.chat_list
    return None if sealed is None else [str(one) for one in json.loads(sealed)]


def carry_out(fire: Fire) -> dict[str, Any]:
    """Stores one message for each chat. At most once each: an unknown outcome is shown and never tried again."""
    message = db.session.get(ScheduledMessage, fire.subject_id)
    if message is None:
        raise NotFound()
    target = target_of(message)
    made = say(
        target,
        Content(message.message),
        workspace_id=fire.workspace_id,
        kind=KIND,
        key=f"scheduled:{fire.id}",
        at_most_once=True,
    )
    return {"level": target.level, "message_ids": [one.id for one in made]}


def on_message_ended(message_id: int, state: str, code: str) -> None:
    """A message ended unsent; runs in the transaction that records it, in the system scope."""
    message = db.session.get(Message, message_id)
    if message is None or message.kind != KIND or state == "canceled":
        return
    db.session.add(
        JobRun(
            workspace_id=message.workspace_id,
            job=JOB,
            state="failed",
            code=code,
            detail=message.error_detail,
            subject=f"messages:{message_id}",
            started_at=message.created_at,
            finished_at=clock.now(),
        )
    )
    db.session.flush()


scheduling.register_each(JOB, carry_out)
events.subscribe("message_ended", on_message_ended)
