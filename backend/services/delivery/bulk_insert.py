"""The outbox for a batch: the rows that `send` stores for one message, collected for many and stored together.

For messages without an idempotency key. Stored in the system scope, as a batch holds messages of several workspaces.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from backend.channels import registry
from backend.channels.base import Content
from backend.channels.fitting import Fitted
from backend.core import bulk, queue
from backend.models import Conversation, Delivery
from backend.services.delivery.outbox import Priority, parts_of


@dataclass(frozen=True, slots=True)
class OutgoingMessage:
    """A message, due at once or at `due_at` for `reason`. One with a `canceled_code` is only shown, with why it is not
    sent."""

    conversation: Conversation
    content: Content
    kind: str
    created_at: datetime
    expires_at: datetime
    due_at: datetime | None = None
    reason: str = "queued"
    lane: Priority = Priority.REPLY
    user_id: int | None = None
    reply_to: str | None = None
    canceled_code: str | None = None

    @property
    def code(self) -> str | None:
        """Why it is not sent: its own code, or that of a conversation that is blocked; None for one that is."""
        return self.canceled_code or self.conversation.blocked_code


class OutboxRows:
    """The rows of many messages. Each text is split into its parts once, however often it is said."""

    def __init__(self) -> None:
        self._bodies: dict[tuple[str, Content], tuple[dict[str, Any], str | None]] = {}
        self._deliveries: list[dict[str, Any]] = []

    def add_deliveries(self, message: OutgoingMessage, message_id: int) -> None:
        """Collects what it takes to send a message."""
        body, code = self._body_of(message)
        if code is None:
            self._deliveries += [_delivery(message_id, message, part) for part in range(len(body["parts"]))]

    def row_of(self, message: OutgoingMessage) -> dict[str, Any]:
        """A message's own row, without its id."""
        conversation, (body, code) = message.conversation, self._body_of(message)
        return {
            "workspace_id": conversation.workspace_id,
            "conversation_id": conversation.id,
            "sender_id": conversation.sender_id,
            "direction": "out",
            "kind": message.kind,
            "lane": int(message.lane),
            "state": "queued" if code is None else "canceled",
            "error": code,
            "body": body,
            "external_id": None,
            "reply_to": message.reply_to if registry.spec(conversation.channel).capabilities.reply_to else None,
            "user_id": message.user_id,
            "created_at": message.created_at,
            "sent_at": None,
            "via": None,
            "author_user_id": None,
            "happened_at": message.due_at,
            "content": None,
        }

    def store_deliveries(self) -> None:
        """Stores the deliveries, after their messages were stored."""
        if self._deliveries:
            bulk.insert_many(Delivery, self._deliveries)
            queue.nudge()

    def _body_of(self, message: OutgoingMessage) -> tuple[dict[str, Any], str | None]:
        """A message's body, and why it is not sent; None for one that is."""
        channel, content = message.conversation.channel, message.content
        known = self._bodies.get((channel, content))
        if known is None:
            fitted = Fitted.of(content, registry.spec(channel))
            known = self._bodies[channel, content] = (parts_of(channel, fitted), fitted.code)
        return known[0], message.code or known[1]


def _delivery(message_id: int, message: OutgoingMessage, part: int) -> dict[str, Any]:
    conversation = message.conversation
    return {
        "workspace_id": conversation.workspace_id,
        "sender_id": conversation.sender_id,
        "conversation_id": conversation.id,
        "message_id": message_id,
        "part": part,
        "operation": "send",
        "chat_key": conversation.chat_key,
        "lane": int(message.lane),
        "due_at": message.due_at or message.created_at,
        "expires_at": message.expires_at,
        "state": "due",
        "epoch": 0,
        "attempts": 0,
        "reason": message.reason,
        "at_most_once": False,
    }
