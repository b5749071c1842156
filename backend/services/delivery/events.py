"""What the outbox tells the features above it, inside the transaction that records the outcome.

`recipient_unreachable(sender_id, chat_hash, code, disables_link)`, `chat_moved(sender_id, old_chat_id, new_chat_id)`,
`sender_disabled(sender_id, code)`, `sender_paused(sender_id, code)` when a provider asks for a rest of more than
`senders.LONG_PAUSE`, `message_gone(message_id, code)` when an edit of a sent message is refused for
good, `message_ended(message_id, state, code)` for a message that was not sent. They are
published in the system scope.
"""

from __future__ import annotations

from backend.core import events


def message_ended(message_id: int, state: str, code: str) -> None:
    """A message ended as `failed`, `canceled` or `unknown`."""
    events.publish("message_ended", message_id=message_id, state=state, code=code)
    if state == "failed":
        events.publish("message_failed", message_id=message_id, code=code)


def message_gone(message_id: int, code: str) -> None:
    """What was sent can be edited no more: its reader deleted it, or the chat is closed. News needs a new message."""
    events.publish("message_gone", message_id=message_id, code=code)
