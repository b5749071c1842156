"""A refused part is said in a milder form: its message is written again from it on, as its outcome is recorded.

What was accepted before it stays as it is. The form is kept with the message, so neither a crash nor a later edit
begins at the top of the ladder again.
"""

from __future__ import annotations

from backend.channels import registry
from backend.channels.base import Content
from backend.channels.forms import Form, restated
from backend.core import clock
from backend.core.database import db
from backend.models import Delivery, Message
from backend.services.delivery.edits import replace_content
from backend.services.delivery.outbox import channel_of

REASON = "milder_form"


def restate(row: Delivery, message: Message, form: Form) -> bool:
    """Has the refused operation of the locked message go again in this form; False where nothing is left to say."""
    parts = [Content.from_json(part) for part in message.body["parts"]]
    restated_parts = restated(registry.get(channel_of(message)), parts[row.part :], form, first=row.part)
    if not restated_parts:
        return False
    row.state, row.reason, row.due_at = "due", REASON, clock.now()
    db.session.flush()
    replace_content(message, [*parts[: row.part], *restated_parts], form, expires_at=row.expires_at)
    return True
