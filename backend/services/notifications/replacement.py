"""News whose message is gone: its reader deleted it, so the edit that was to tell them would be seen by nobody.

It is found out in the transaction that records the refused edit, and told by a new message in the same one. An event
about the subject that is decided on at that moment tells its own, newer news by a new message instead: exactly one.
"""

from __future__ import annotations

from sqlalchemy.exc import OperationalError

from backend.core import events
from backend.core.database import db, workspace_scope
from backend.core.logging import get_logger
from backend.models import Message
from backend.services.delivery.events import MessageGone
from backend.services.notifications import reporting, subjects

log = get_logger(__name__)


def on_message_gone(event: MessageGone) -> None:
    """What was sent can be edited no more; runs in the transaction that records it, in the system scope."""
    message = db.session.get(Message, event.message_id)
    if message is None or message.kind != reporting.KIND or message.user_id is None:
        return
    with workspace_scope(message.workspace_id):
        try:
            with db.session.begin_nested():
                subject = subjects.current_subject_of(message)
                new_message = reporting.send_again(message, subject) if subject is not None else None
        except OperationalError:
            raise
        except Exception as error:
            # The record of what happened must stand whatever becomes of the news.
            log.exception("retelling_defect", message_id=event.message_id, error=type(error).__name__)
            return
    if new_message is not None:
        log.info("told_anew", message_id=event.message_id, code=event.code, by=new_message.id)


events.subscribe(MessageGone, on_message_gone)
