"""Sends a scheduled message when its schedule fires: the messages and the end of the fire are stored together."""

from __future__ import annotations

import json
from typing import Any, Final

from backend.channels.base import Content
from backend.core import clock, events
from backend.core.database import db
from backend.core.errors import NotFound
from backend.models import Message, ScheduledMessage
from backend.services import alerts, files, job_history, scheduling
from backend.services.alerts import Attribution
from backend.services.bots.resolution import Target, resolve
from backend.services.bots.sending import send_to_chats
from backend.services.delivery.events import MessageEnded
from backend.services.notifications import attaching
from backend.services.scheduled_messages import contents, file_fetches
from backend.services.scheduling import Fire

JOB: Final = "scheduled_message"
KIND: Final = "scheduled"


def target_of(message: ScheduledMessage) -> Target:
    """The bot and the chats as they are now. Raises what `bots.resolution.resolve` raises."""
    return resolve(bot_name=message.bot_name, chat_ids=chat_ids_of(message) or ())


def chat_ids_of(message: ScheduledMessage) -> list[str] | None:
    """The chats it names; None where it goes to the bot's own."""
    encrypted = message.chat_list
    return None if encrypted is None else [str(chat_id) for chat_id in json.loads(encrypted)]


def carry_out(fire: Fire) -> dict[str, Any]:
    """Stores one message for each chat, or raises the alert. What it returns is stored with the end of the fire.

    Messages go at most once each: an unknown outcome is shown and never tried again. An alert goes as alerts do.
    """
    message = db.session.get(ScheduledMessage, fire.subject_id)
    if message is None:
        raise NotFound()
    planned = contents.of(message)
    if planned.kind == "alert":
        return _raise_alert(message)
    target = target_of(message)
    if planned.kind == "message":
        return _send_to_chats(fire, target, Content(planned.value))
    prepared, media = attaching.prepare(planned.attachment)
    if media:
        return _send_to_chats(fire, target, Content(planned.caption, media=media))
    address = str((prepared or {})["url"])
    placeholder = Content(f"{planned.caption}\n\n{address}".strip())
    # Should nobody fetch it, the messages go out by themselves then, with the address.
    patience = clock.now() + attaching.PATIENCE
    result = _send_to_chats(fire, target, placeholder, not_before=patience, reason=attaching.FETCHING)
    files.request(file_fetches.OWNER, fire.id, files.Source(address), planned.kind)
    return result | {file_fetches.CAPTION: planned.caption}


def _send_to_chats(fire: Fire, target: Target, content: Content, **waiting: Any) -> dict[str, Any]:
    messages = send_to_chats(
        target,
        content,
        kind=KIND,
        key=f"scheduled:{fire.id}",
        at_most_once=True,
        **waiting,
    )
    return {"level": target.level, "message_ids": [message.id for message in messages]}


def _raise_alert(message: ScheduledMessage) -> dict[str, Any]:
    by = Attribution(contents.SOURCE, f"scheduled_message:{message.id}")
    outcome = alerts.raise_input(contents.alert_of(message, chat_ids_of(message)), by)
    return {
        "level": outcome.level,
        "message_ids": list(outcome.message_ids),
        "alert_id": outcome.alert_id,
        "decision": outcome.decision,
    }


def on_message_ended(event: MessageEnded) -> None:
    """A message ended unsent; runs in the transaction that records it, in the system scope."""
    message = db.session.get(Message, event.message_id)
    if message is None or message.kind != KIND or event.state == "canceled":
        return
    job_history.record_failure(
        JOB,
        event.code,
        f"messages:{event.message_id}",
        workspace_id=message.workspace_id,
        detail=message.error_detail,
        started_at=message.created_at,
    )


scheduling.register_each(JOB, carry_out)
events.subscribe(MessageEnded, on_message_ended)
