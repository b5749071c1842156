"""What follows for links from an outcome of the outbox."""

from __future__ import annotations

from backend.core import events
from backend.services.linking.links import disable_chat


def _recipient_unreachable(sender_id: int, chat_hash: bytes, code: str, disables_link: bool) -> None:
    if disables_link:
        disable_chat(sender_id, chat_hash, code)


events.subscribe("recipient_unreachable", _recipient_unreachable)
