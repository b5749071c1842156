"""What follows for links from an outcome of the outbox."""

from __future__ import annotations

from backend.core import events
from backend.services.dispatch.events import RecipientUnreachable
from backend.services.linking.links import disable_chat


def _recipient_unreachable(event: RecipientUnreachable) -> None:
    if event.disables_link:
        disable_chat(event.sender_id, event.chat_hash, event.code)


events.subscribe(RecipientUnreachable, _recipient_unreachable)
