"""A person who is mentioned in a note is told in their linked chat, as their settings for new messages say."""

from __future__ import annotations

from typing import Final

from backend.channels.base import Content
from backend.core import clock, events, i18n
from backend.core.database import db
from backend.models import User
from backend.services import delivery
from backend.services.delivery import Priority
from backend.services.inbox.events import PersonMentioned
from backend.services.notifications import recipients
from backend.services.notifications.decision import decide

TYPE: Final = "new_message"
KIND: Final = "mention"


def on_person_mentioned(event: PersonMentioned) -> None:
    """Tells the person, without the note's words; quiet hours hold, and a mute. In the workspace's scope."""
    user = db.session.get(User, event.user_id)
    if user is None:
        return
    recipient = recipients.read(user, TYPE)
    decided = decide(link=recipient.link_state, preferences=recipient.preferences, critical=False, now=clock.now())
    if decided.decision == "suppressed" or recipient.conversation is None:
        return
    author = db.session.get(User, event.author_user_id) if event.author_user_id is not None else None
    code = "notifications.mention" if author is not None else "notifications.mention_by_nobody"
    text = i18n.html(code, user.locale, name=author.name if author is not None else "")
    delivery.send(
        recipient.conversation,
        Content(text, "html"),
        kind=KIND,
        lane=Priority.NOTIFICATION,
        key=f"mention:{event.note_id}:{user.id}",
        not_before=decided.until,
        reason=decided.reason or "queued",
        user_id=user.id,
        via="notification",
    )


events.subscribe(PersonMentioned, on_person_mentioned)
