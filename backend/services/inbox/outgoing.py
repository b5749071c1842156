"""What can be done about an answer that was written: trying a failed one again, taking one back."""

from __future__ import annotations

from typing import Final

from sqlalchemy import select

from backend.channels import registry
from backend.channels.base import Content
from backend.core import clock, events
from backend.core.database import db
from backend.core.errors import Conflict
from backend.models import Conversation, Message, MessagePart, MessageVersion
from backend.services import delivery
from backend.services.auth import audit
from backend.services.auth.attribution import Attribution
from backend.services.delivery.events import MessageSent
from backend.services.inbox import access, replies, search_index, state, thread

_AGAIN: Final = ("failed", "canceled")


def retry(by: Attribution, message_id: int, *, although_unknown: bool = False) -> Message:
    """Says what was not sent once more, by a new message; the same message again gives the first retry.

    One whose outcome is unknown may have arrived: it is said again only with `although_unknown`, which a person
    decides. Raises NotFound, and Conflict: `outcome_unknown`, `not_failed`, and what writing it raises.
    """
    message, conversation = access.message(by.user_id, message_id, lock=True)
    if message.direction != "out" or message.kind != replies.KIND:
        raise Conflict("not_failed", "Only an answer of a person that failed is tried again.")
    if message.state == "unknown" and not although_unknown:
        raise Conflict("outcome_unknown", "It may have arrived. Look at the chat first; then it can be said again.")
    if message.state not in (*_AGAIN, "unknown"):
        raise Conflict("not_failed", "Only an answer that failed is tried again.", detail={"state": message.state})
    key = f"conversation_retry:{message.id}"
    known = delivery.by_key(message.workspace_id, key)
    if known is not None:
        return known
    return _say_again(by, message, conversation, key)[0]


def edit(by: Attribution, message_id: int, text: str) -> Message:
    """Has an answer say something else; what it said before stays among its versions.

    Raises NotFound, Invalid, and Conflict: `not_supported`, `not_editable`.
    """
    message, conversation = access.message(by.user_id, message_id, lock=True)
    spec = registry.spec(conversation.channel)
    if message.direction != "out" or message.kind != replies.KIND or message.deleted_at is not None:
        raise Conflict("not_editable", "Only an answer of a person can be edited.")
    if message.state in (*_AGAIN, "unknown") or message.gone_code is not None:
        raise Conflict("not_editable", "It was not sent, or is gone.", detail={"state": message.state})
    if message.state != "queued" and not spec.capabilities.edit:
        raise Conflict("not_supported", "On this channel nothing can be edited.", detail={"what": "edit"})
    first = Content.from_json(message.body["parts"][0])
    if first.template is not None or first.media:
        raise Conflict("not_supported", "Only the text of a plain answer can be edited.", detail={"what": "edit"})
    content = replies.content_of(conversation.sender_id, spec, replies.Reply(text=text, format=first.format))
    if message.state != "queued":
        earlier = thread.counted_versions([message.id]).get(message.id, 0)
        since = message.edited_at or message.happened_at or message.created_at
        kept = {"message_id": message.id, "version": earlier + 1, "body": message.body, "edited_at": since}
        db.session.add(MessageVersion(workspace_id=message.workspace_id, **kept))
        message.edited_at = clock.now()
        db.session.flush()
    delivery.edit(message, content)
    search_index.index_messages([message])
    audit.record(by, "message.edited", f"message:{message.id}", conversation_id=conversation.id)
    return message


def take_back(by: Attribution, message_id: int) -> Message:
    """Cancels a message that waits; one that was sent is deleted at the provider, where that is possible.

    Raises NotFound, and Conflict: `not_supported`, `not_deletable`.
    """
    message, conversation = access.message(by.user_id, message_id, lock=True)
    if message.direction != "out":
        raise Conflict("not_deletable", "Only what was written here can be taken back.")
    if message.state == "queued" and delivery.cancel(message, "taken_back"):
        search_index.forget([message.id])
    elif message.deleted_at is None:
        if message.state in (*_AGAIN, "unknown"):
            raise Conflict("not_deletable", "It was not sent.", detail={"state": message.state})
        if not registry.spec(conversation.channel).capabilities.delete:
            raise Conflict("not_supported", "On this channel nothing can be taken back.", detail={"what": "delete"})
        delivery.delete(message)
        search_index.forget([message.id])
    audit.record(by, "message.taken_back", f"message:{message.id}", conversation_id=conversation.id)
    return message


def _say_again(by: Attribution, message: Message, conversation: Conversation, key: str) -> list[Message]:
    """New messages of the parts that the provider did not take; the first one has the key."""
    sent = set(db.session.scalars(select(MessagePart.part).where(MessagePart.message_id == message.id)))
    parts = [Content.from_json(part) for place, part in enumerate(message.body["parts"]) if place not in sent]
    if not parts:
        raise Conflict("not_failed", "All of it was sent.")
    replies.check_allowed(conversation, is_template=parts[0].template is not None)
    return [
        replies.send(by, conversation, part, reply_to=message.reply_to, key=f"{key}:{place}" if place else key)
        for place, part in enumerate(parts)
    ]


def on_message_sent(event: MessageSent) -> None:
    """What was to be sent later counts as an answer now; runs with the record of the outcome, in the system scope."""
    message = db.session.get(Message, event.message_id)
    if message is None or message.kind != replies.KIND:
        return
    conversation = state.lock(message.conversation_id)
    if conversation is not None and conversation.last_message_id != message.id and message.happened_at is not None:
        state.note_outbound(conversation, message)


events.subscribe(MessageSent, on_message_sent)
