"""The messages of conversations: reading them, writing, trying again, editing and taking back."""

from __future__ import annotations

from typing import Any

from apiflask import APIBlueprint

from backend.http import guards, languages
from backend.http.guards import access
from backend.http.schemas.conversation_messages import (
    EditIn,
    MessageRetryIn,
    MessageVersions,
    ReplyIn,
    StartIn,
    ThreadMessages,
    ThreadQuery,
    Written,
)
from backend.models import Message
from backend.services.inbox import outgoing, replies, starting, texts, thread, thread_describing
from backend.services.inbox.replies import Reply

bp = APIBlueprint("conversation_messages", __name__, url_prefix="/api", tag="Inbox")


@bp.post("/conversations")
@access("operator", idempotent=True)
@bp.input(StartIn)
@bp.output(Written, status_code=202)
def start(json_data: StartIn) -> dict[str, Any]:
    """Write first, to a contact or a number

    The conversation that there is with them on this integration is used, else a new one is made. On WhatsApp a template
    opens it; where a channel lets nobody write first it is 409 `not_supported`.
    """
    _, message = starting.start(
        guards.attribution(),
        json_data.integration_id,
        _reply(json_data),
        contact_id=json_data.contact_id,
        phone=json_data.phone,
    )
    return _written(message)


@bp.get("/conversations/<int:conversation_id>/messages")
@access()
@bp.input(ThreadQuery, location="query")
@bp.output(ThreadMessages)
def list_messages(conversation_id: int, query_data: ThreadQuery) -> dict[str, Any]:
    """List a conversation's messages, the newest first by the provider's time"""
    conversation, messages, following = thread.page(
        guards.actor().user_id,
        conversation_id,
        cursor=query_data.cursor,
        around=query_data.around,
        after=query_data.after,
        limit=query_data.limit,
    )
    shown = thread_describing.describe(conversation, messages, languages.wanted())
    return {"messages": shown, "next_cursor": following}


@bp.post("/conversations/<int:conversation_id>/messages")
@access("operator", idempotent=True)
@bp.input(ReplyIn)
@bp.output(Written, status_code=202)
def write(conversation_id: int, json_data: ReplyIn) -> dict[str, Any]:
    """Answer in a conversation

    It takes the conversation over. 409 `conversation_moved` where something newer was said than
    `expect_last_message_id`; `window_closed` where only a template may be sent, also at `not_before`; `not_in_charge`
    where another application answers; `not_supported` for what the channel lacks. What was stored is sent once at most:
    with an unknown outcome it is never repeated by itself.
    """
    return _written(replies.write(guards.attribution(), conversation_id, _reply(json_data)))


@bp.get("/messages/<int:message_id>/versions")
@access()
@bp.output(MessageVersions)
def versions(message_id: int) -> dict[str, Any]:
    """List all that a message has said, the newest first; of one that was taken back nothing"""
    matches = thread.versions(guards.actor().user_id, message_id)
    shown = [
        {"version": version, "text": "\n".join(map(texts.part_text, texts.parts_of(body))), "since": since}
        for version, body, since in matches
    ]
    return {"versions": shown}


@bp.post("/messages/<int:message_id>/retry")
@access("operator", idempotent=True)
@bp.input(MessageRetryIn)
@bp.output(Written, status_code=202)
def retry(message_id: int, json_data: MessageRetryIn) -> dict[str, Any]:
    """Say an answer again that failed, by a new message

    One whose outcome is unknown may have arrived: it is 409 `outcome_unknown` until the caller decides by
    `although_unknown`. Twice for the same message gives the same retry.
    """
    return _written(outgoing.retry(guards.attribution(), message_id, although_unknown=json_data.although_unknown))


@bp.patch("/messages/<int:message_id>")
@access("operator")
@bp.input(EditIn)
@bp.output(Written)
def edit(message_id: int, json_data: EditIn) -> dict[str, Any]:
    """Edit an answer, where the channel can

    What waits is sent as it is now. Elsewhere it is 409 `not_supported`.
    """
    return _written(outgoing.edit(guards.attribution(), message_id, json_data.text))


@bp.delete("/messages/<int:message_id>")
@access("operator")
@bp.output(Written)
def take_back(message_id: int) -> dict[str, Any]:
    """Take a message back: one that waits is not sent, one that was sent is deleted where the channel can"""
    return _written(outgoing.take_back(guards.attribution(), message_id))


def _reply(given: ReplyIn) -> Reply:
    return Reply(
        text=given.text,
        format=given.format,
        file_ids=tuple(given.file_ids),
        reply_to=given.reply_to,
        template=None if given.template is None else given.template.model_dump(),
        not_before=given.not_before,
        expect_last_message_id=given.expect_last_message_id,
    )


def _written(message: Message) -> dict[str, Any]:
    return {"message_id": message.id, "conversation_id": message.conversation_id, "state": message.state}
