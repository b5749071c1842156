"""Messages: how far each got, and why it waits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from apiflask import APIBlueprint

from backend.http import languages
from backend.http.guards import access
from backend.http.schemas.base import reader_of
from backend.http.schemas.messages import MessageOut, MessageQuery, Messages
from backend.services import delivery
from backend.services.notifications import queries

bp = APIBlueprint("messages", __name__, url_prefix="/api/messages", tag="Notifications")

_read_message = reader_of(
    "id", "conversation_id", "user_id", "kind", "created_at", "sent_at", "delivered_at", "read_at"
)
_read_status = reader_of("state", "reason", "next_attempt_at", "attempts", "external_id", "error", "left_out")


@bp.get("")
@access()
@bp.input(MessageQuery, location="query")
@bp.output(Messages)
def listing(query_data: MessageQuery) -> dict[str, Any]:
    """List outbound messages, the newest first"""
    messages, following = queries.messages(
        conversation_id=query_data.conversation_id,
        user_id=query_data.user_id,
        kind=query_data.kind,
        cursor=query_data.cursor,
        limit=query_data.limit,
    )
    return {"messages": _shown(messages), "next_cursor": following}


@bp.get("/<int:message_id>")
@access()
@bp.output(MessageOut)
def show(message_id: int) -> dict[str, Any]:
    """Show a message's state

    While it waits, `reason` says why, `reason_text` the same in words, and `next_attempt_at` when it is tried.
    """
    return _shown([queries.message(message_id)])[0]


def _shown(messages: Sequence[Any]) -> list[dict[str, Any]]:
    locale = languages.wanted()
    shown = []
    for message, status in zip(messages, delivery.statuses_of(messages), strict=True):
        fields = _read_message(message)
        fields |= _read_status(status)
        fields["reason_text"] = delivery.explain(status, locale)
        shown.append(fields)
    return shown
