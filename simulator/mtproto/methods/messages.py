"""messages.…: writing, editing, deleting, reading."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from telethon.tl import functions, types

from simulator.accounts import boxes, logins
from simulator.accounts.boxes import Draft
from simulator.accounts.errors import Refusal
from simulator.accounts.model import Account, Event, Message
from simulator.accounts.refusals import refusal
from simulator.mtproto import views
from simulator.mtproto.methods.files import document_of
from simulator.mtproto.methods.registry import method
from simulator.mtproto.methods.users import addressed

if TYPE_CHECKING:
    from simulator.mtproto.calls import Call

MAX_TEXT = 4096
MAX_CAPTION = 1024
READ_DATE_EXPIRES = 604_800


def _units(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


def _checked(text: str, limit: int) -> str:
    if _units(text) > limit:
        raise Refusal(400, "MESSAGE_TOO_LONG" if limit == MAX_TEXT else "MEDIA_CAPTION_TOO_LONG")
    return text


@method(functions.messages.SendMessageRequest, frozen=False)
def send_message(call: Call, request: Any) -> Any:
    """Send a text."""
    if not request.message.strip():
        raise Refusal(400, "MESSAGE_EMPTY")
    return _send(call, request, _checked(request.message, MAX_TEXT), 0)


@method(functions.messages.SendMediaRequest, frozen=False)
def send_media(call: Call, request: Any) -> Any:
    """Send a file with a caption."""
    caption = _checked(request.message, MAX_CAPTION)
    if request.random_id in call.me.sent:
        return _send(call, request, caption, 0)
    return _send(call, request, caption, document_of(call, request.media))


def _send(call: Call, request: Any, text: str, file: int) -> Any:
    target = addressed(call, request.peer)
    call.text, call.peer = text, target.id
    if not request.random_id:
        raise Refusal(400, "RANDOM_ID_EMPTY")
    if request.random_id in call.me.in_work:
        raise Refusal(500, "RANDOM_ID_DUPLICATE")
    earlier = _sent_before(call, request.random_id)
    if earlier is not None:
        call.outcome = "repeated"
        call.message_id = earlier
        return _repeated(call, target, request.random_id, earlier)
    if request.schedule_date is not None:
        raise Refusal(400, "SCHEDULE_DATE_INVALID")
    why_not = refusal(call.directory, call.me, target, request.allow_paid_stars or 0)
    if why_not is not None:
        raise why_not
    reply_to = getattr(request.reply_to, "reply_to_msg_id", 0)
    logins.end_codes_in(call.directory, call.me, text)
    message = boxes.post(call.directory, call.me, target, Draft(text, views.packed(request.entities), file, reply_to))
    call.me.sent[request.random_id] = (message.id, time.time())
    call.message_id = message.id
    event = _event_of(call.me, message)
    if call.server.settings.short_answers and not file:
        entities = views.unpacked(message.entities) or None
        return types.UpdateShortSentMessage(
            id=message.id, pts=event.pts, pts_count=1, date=views.moment(message.date), out=True, entities=entities
        )
    return _answer(call, target, request.random_id, message.id, views.update(call.directory, call.me, event))


def _event_of(account: Account, message: Message) -> Event:
    return next(event for event in reversed(account.events) if event.messages == [message.id] and event.kind == "new")


def _sent_before(call: Call, random_id: int) -> int | None:
    """The message that this `random_id` made, while it is remembered."""
    message_id, at = call.me.sent.get(random_id, (0, 0.0))
    if not message_id:
        return None
    if at + call.server.settings.random_id_lifetime < time.time():
        del call.me.sent[random_id]
        return None
    return message_id


def _repeated(call: Call, target: Account, random_id: int, message_id: int) -> Any:
    """What an accepted send is answered with when it comes again: the old message, and no step further."""
    message = call.me.messages.get(message_id)
    shown = None
    if message is not None:
        shown = types.UpdateNewMessage(views.message(call.directory, call.me, message), call.me.pts, 0)
    return _answer(call, target, random_id, message_id, shown)


def _answer(call: Call, target: Account, random_id: int, message_id: int, shown: Any) -> Any:
    updates = [types.UpdateMessageID(message_id, random_id), *([shown] if shown is not None else [])]
    people = views.users(call.directory, call.me, {target.id})
    return types.Updates(updates, people, [], views.now(), 0)


def own_message(call: Call, peer: Account, number: int) -> Message:
    """A message of the account's box in the chat with `peer`. Raises Refusal MESSAGE_ID_INVALID."""
    message = call.me.messages.get(number)
    if message is None or message.peer != peer.id:
        raise Refusal(400, "MESSAGE_ID_INVALID")
    return message


@method(functions.messages.EditMessageRequest, frozen=False)
def edit_message(call: Call, request: Any) -> Any:
    """Change the text of an own message."""
    target = addressed(call, request.peer)
    message = own_message(call, target, request.id)
    if not message.out:
        raise Refusal(403, "MESSAGE_AUTHOR_REQUIRED")
    text = _checked(request.message or "", MAX_CAPTION if message.file else MAX_TEXT)
    if text == message.text and views.packed(request.entities) == message.entities:
        raise Refusal(400, "MESSAGE_NOT_MODIFIED")
    if not text.strip() and not message.file:
        raise Refusal(400, "MESSAGE_EMPTY")
    call.message_id, call.text = message.id, text
    boxes.edit(call.directory, call.me, message, text, views.packed(request.entities))
    return _last_change(call, "edit")


def _last_change(call: Call, *kinds: str) -> Any:
    event = next(event for event in reversed(call.me.events) if event.kind in kinds)
    return views.updates(call.directory, call.me, [event])


@method(functions.messages.SendReactionRequest, frozen=False)
def send_reaction(call: Call, request: Any) -> Any:
    """React to a message, or take the reaction away."""
    target = addressed(call, request.peer)
    message = own_message(call, target, request.msg_id)
    call.message_id = message.id
    emoji = next((each.emoticon for each in request.reaction or [] if isinstance(each, types.ReactionEmoji)), "")
    boxes.react(call.directory, call.me, message, emoji)
    return _last_change(call, "reaction")


@method(functions.messages.DeleteMessagesRequest, frozen=False)
def delete_messages(call: Call, request: Any) -> Any:
    """Delete messages by number; unknown ones are passed over."""
    messages = [call.me.messages[number] for number in request.id if number in call.me.messages]
    event = boxes.delete(call.directory, call.me, messages, everywhere=bool(request.revoke))
    return types.messages.AffectedMessages(call.me.pts, event.count if event is not None else 0)


@method(functions.messages.DeleteHistoryRequest, frozen=False)
def delete_history(call: Call, request: Any) -> Any:
    """Empty a chat, on both sides with `revoke`."""
    target = addressed(call, request.peer)
    numbers = [each for each in call.me.chats.get(target.id, []) if not request.max_id or each <= request.max_id]
    messages = [call.me.messages[number] for number in numbers]
    event = boxes.delete(call.directory, call.me, messages, everywhere=bool(request.revoke))
    return types.messages.AffectedHistory(call.me.pts, event.count if event is not None else 0, 0)


@method(functions.messages.ReadHistoryRequest)
def read_history(call: Call, request: Any) -> Any:
    """Mark a chat as read up to a message."""
    target = addressed(call, request.peer)
    event = boxes.read(call.directory, call.me, target, request.max_id)
    return types.messages.AffectedMessages(call.me.pts, event.count if event is not None else 0)


@method(functions.messages.SetTypingRequest)
def set_typing(call: Call, request: Any) -> Any:
    """Show the other side that somebody is typing."""
    target = addressed(call, request.peer)
    if call.me.id not in target.blocked:
        call.server.notify(target, "typing", {"person": call.me.id})
    return True


@method(functions.messages.GetOutboxReadDateRequest)
def get_outbox_read_date(call: Call, request: Any) -> Any:
    """When the other side read a message, for a week, unless either side hides it."""
    target = addressed(call, request.peer)
    message = own_message(call, target, request.msg_id)
    if call.me.conduct.hides_read_time:
        raise Refusal(403, "YOUR_PRIVACY_RESTRICTED")
    if target.conduct.hides_read_time:
        raise Refusal(403, "USER_PRIVACY_RESTRICTED")
    if message.date + READ_DATE_EXPIRES < time.time():
        raise Refusal(400, "MESSAGE_TOO_OLD")
    if not message.out or not message.read_at:
        raise Refusal(400, "MESSAGE_NOT_READ_YET")
    return types.OutboxReadDate(views.moment(message.read_at))
