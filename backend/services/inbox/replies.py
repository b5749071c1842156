"""What a member of the workspace writes in a conversation: checked when it is written, stored once, said at most once.

The outbox checks again at the claim: what must not be said any more by then (the window has closed, somebody else is in
charge) is canceled and says why. An answer whose outcome is unknown is never repeated by itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from sqlalchemy import select

from backend.channels import registry
from backend.channels.base import Content, Media
from backend.channels.richtext import has_visible
from backend.channels.spec import ChannelSpec
from backend.core import clock
from backend.core.database import db, system_scope
from backend.core.errors import Conflict, Invalid, NotFound
from backend.models import Conversation, Message, Sender, User
from backend.services import delivery
from backend.services.auth import audit
from backend.services.auth.attribution import Attribution
from backend.services.channel_setup import templates
from backend.services.delivery import Priority
from backend.services.delivery.gate import HUMAN_AGENT, WINDOW_CLOSED, refusal
from backend.services.inbox import access, attached, drafts, kinds, search_index, state

KIND: Final = "conversation_reply"
MAX_TEXT: Final = 20_000
MAX_AHEAD: Final = timedelta(days=365)
_LIFE: Final = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Reply:
    """What is to be said. `template` holds `name`, `language` and `variables`; `expect_last_message_id` is the newest
    message that the writer has seen."""

    text: str = ""
    format: Literal["plain", "html"] = "plain"
    file_ids: tuple[int, ...] = ()
    reply_to: int | None = None
    template: Mapping[str, Any] | None = None
    not_before: datetime | None = None
    expect_last_message_id: int | None = None
    key: str | None = field(default=None, repr=False)
    """The same key in a workspace gives the first message."""


def write(by: Attribution, conversation_id: int, reply: Reply) -> Message:
    """Stores an answer and takes the conversation over, in one transaction.

    Raises NotFound, Invalid, TooLarge, and Conflict: `conversation_moved`, `window_closed`, `not_in_charge`,
    `not_supported`, or the reason for which nothing may be sent there.
    """
    conversation = access.conversation(by.user_id, conversation_id, lock=True)
    check_expected(conversation, reply.expect_last_message_id)
    return store(by, conversation, reply)


def store(by: Attribution, conversation: Conversation, reply: Reply) -> Message:
    """The same for a conversation that is locked, whatever was said in it meanwhile."""
    spec = registry.spec(conversation.channel)
    content = content_of(conversation.sender_id, spec, reply)
    answered = _answered(conversation, spec, reply.reply_to)
    check_allowed(conversation, is_template=content.template is not None, at=reply.not_before)
    message = send(by, conversation, content, reply_to=answered, key=reply.key, not_before=reply.not_before)
    drafts.discard(conversation.id, by.user_id)
    return message


def send(
    by: Attribution,
    conversation: Conversation,
    content: Content,
    *,
    reply_to: str | None,
    key: str | None,
    not_before: datetime | None = None,
) -> Message:
    """Stores what was checked, notes who wrote it, and that a person is at the conversation from now on.

    What is to be sent later counts as an answer when it is sent. Raises Conflict where it cannot be said at all.
    """
    message = delivery.send(
        conversation,
        content,
        kind=KIND,
        lane=Priority.REPLY,
        key=key,
        not_before=not_before,
        reason="send_later" if not_before is not None else "queued",
        at_most_once=True,
        expires_in=_LIFE,
        reply_to=reply_to,
        via="console" if by.via == "console" else "api",
        author_user_id=by.user_id,
        human_agent=is_human_agent(conversation),
    )
    if message.state == "canceled":
        raise Conflict(message.error or "not_supported", _words(message.error))
    state.take_over(conversation, by.user_id)
    if not_before is None:
        state.note_outbound(conversation, message)
    search_index.index_messages([message])
    audit.record(by, "conversation.replied", f"conversation:{conversation.id}", message_id=message.id)
    return message


def is_human_agent(conversation: Conversation) -> bool:
    """Whether a person's answer goes under the provider's longer window for people, since the usual one has closed.

    Only where the integration may (`Sender.facts["human_agent"]`).
    """
    window = registry.spec(conversation.channel).reply_window
    if window is None or HUMAN_AGENT not in window.lengths or refusal(conversation) != WINDOW_CLOSED:
        return False
    with system_scope("senders are kept apart by their owner, and the conversation is the caller's"):
        sender = db.session.get(Sender, conversation.sender_id)
    return sender is not None and bool(sender.facts.get("human_agent"))


def check_expected(conversation: Conversation, last_message_id: int | None) -> None:
    """Raises Conflict (`conversation_moved`) where something newer was said than the writer has seen; the detail names
    it, so that a second press can send all the same."""
    newest = conversation.last_message_id
    if last_message_id is None or newest is None or newest == last_message_id:
        return
    query = (
        select(Message, User.name)
        .outerjoin(User, User.id == Message.author_user_id)
        .where(Message.id == newest, Message.conversation_id == conversation.id)
    )
    row = db.session.execute(query).one_or_none()
    detail: dict[str, Any] = {"last_message_id": newest}
    if row is not None:
        message = row[0]
        detail |= {"direction": message.direction, "via": kinds.via_of(message), "author": row.name}
        detail["at"] = (message.happened_at or message.created_at).isoformat().replace("+00:00", "Z")
    message_text = "Something newer was said in this conversation; look at it first."
    raise Conflict("conversation_moved", message_text, detail=detail)


def check_allowed(conversation: Conversation, *, is_template: bool = False, at: datetime | None = None) -> None:
    """Raises Conflict where nothing may be said in a conversation now, or at a later moment (aware)."""
    if conversation.in_charge != "us":
        raise Conflict("not_in_charge", _words("not_in_charge"), detail={"in_charge": conversation.in_charge})
    is_person = is_human_agent(conversation)
    code = refusal(conversation, is_template=is_template, is_human_agent=is_person)
    if code is None and at is not None and not is_template and not is_person and _is_closed(conversation, at):
        code = WINDOW_CLOSED
    if code is not None:
        until = {"reply_until": _moment(conversation.reply_until)} if code == WINDOW_CLOSED else None
        raise Conflict(code, _words(code), detail=until)


def content_of(sender_id: int, spec: ChannelSpec, reply: Reply) -> Content:
    """What is said, as the channel carries it. Raises Invalid, NotFound, TooLarge, Conflict (`not_supported`)."""
    if len(reply.text) > MAX_TEXT:
        raise Invalid.of("text", "too_long", f"A message has at most {MAX_TEXT:,} characters.")
    if reply.not_before is not None and reply.not_before > clock.now() + MAX_AHEAD:
        raise Invalid.of("not_before", "too_far", "A message is planned for a year ahead at most.")
    media = tuple(attached.media_of(file, spec) for file in attached.load(reply.file_ids))
    if reply.template is not None:
        return _template_of(sender_id, spec, reply.template, media)
    if not media and not has_visible(reply.text):
        raise Invalid.of("text", "empty_message", "There is nothing to send: no text, no file, no template.")
    return Content(reply.text, reply.format, media=media)


def _template_of(sender_id: int, spec: ChannelSpec, given: Mapping[str, Any], media: tuple[Media, ...]) -> Content:
    """A template that the provider keeps, with its variables by their keys or in their order."""
    if not spec.capabilities.templates:
        raise Conflict("not_supported", "This channel has no templates.", detail={"what": "template"})
    if media:
        raise Invalid.of("file_ids", "template_and_files", "A template brings no files of yours.")
    template = templates.require_approved(sender_id, given["name"], given["language"])
    return templates.content_of(template, given.get("variables") or ())


def _answered(conversation: Conversation, spec: ChannelSpec, message_id: int | None) -> str | None:
    """The provider's id of the message that is answered. Raises NotFound, Conflict (`not_supported`)."""
    if message_id is None:
        return None
    query = select(Message).where(Message.id == message_id, Message.conversation_id == conversation.id)
    message = db.session.scalar(query)
    if message is None:
        raise NotFound("message_not_found", "There is no such message in this conversation.")
    if not spec.capabilities.reply_to or not message.external_id:
        raise Conflict("not_supported", "This message cannot be answered by itself here.", detail={"what": "reply_to"})
    return message.external_id


def _is_closed(conversation: Conversation, at: datetime) -> bool:
    return conversation.reply_until is not None and at >= conversation.reply_until


def _words(code: str | None) -> str:
    return delivery.explain_code(code, "en", waits=False) or "Nothing can be sent here."


def _moment(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat().replace("+00:00", "Z")
