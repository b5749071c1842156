"""Carrying out one operation for an account: look before writing, and write under a number of our own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from telethon.errors import RPCError
from telethon.tl import functions, types

from backend.channels.base import Content, Operation, Receipt
from backend.channels.errors import ChannelError, OutcomeUnknown, Rejected, RetryLater, SenderDisabled
from backend.channels.telegram_user import differences, formatting
from backend.channels.telegram_user.connection import AccountConnection, ConnectionLost, KeyUnknown, NotConnected
from backend.channels.telegram_user.differences import Peer
from backend.channels.telegram_user.errors import channel_error
from backend.channels.telegram_user.formatting import Entity
from backend.channels.telegram_user.projection import Projected, name_of

_SOON: Final = 1.0
_ENTITIES: Final = {
    "b": types.MessageEntityBold,
    "i": types.MessageEntityItalic,
    "u": types.MessageEntityUnderline,
    "s": types.MessageEntityStrike,
    "code": types.MessageEntityCode,
}


class NewerMessages(Exception):
    """The chat holds something that is not known here: nothing was sent."""

    def __init__(self, projected: Projected) -> None:
        super().__init__()
        self.projected = projected


async def perform(connection: AccountConnection, op: Operation, peer: Peer, self_id: int) -> Receipt:
    """Carries out one operation. Raises one of the five channel errors, and NewerMessages."""
    if op.kind == "send":
        return await _send(connection, op, peer, self_id)
    request: Any
    if op.kind == "edit":
        text, entities = _text_of(op)
        request = functions.messages.EditMessageRequest(
            peer=peer.input, id=_id_of(op), message=text, entities=entities, no_webpage=_no_preview(op)
        )
    elif op.kind == "delete":
        request = functions.messages.DeleteMessagesRequest(id=[_id_of(op)], revoke=True)
    elif op.kind == "chat_action":
        request = functions.messages.SetTypingRequest(peer=peer.input, action=types.SendMessageTypingAction())
    else:
        raise Rejected("not_supported")
    try:
        await _call(connection, request, changes=True)
    except Rejected as refusal:
        if op.kind == "edit" and refusal.detail == "MESSAGE_NOT_MODIFIED":
            return Receipt((op.external_id or "",), facts={"unchanged": True})
        raise
    return Receipt((op.external_id,) if op.external_id else ())


def not_connected() -> RetryLater:
    """There is no connection at present: nothing was written."""
    return RetryLater(_SOON, "not_connected")


async def _send(connection: AccountConnection, op: Operation, peer: Peer, self_id: int) -> Receipt:
    if op.client_ref is None or op.content is None:
        raise Rejected("no_client_ref")
    text, entities = _text_of(op)
    if op.looks_first or op.was_tried:
        newer = await _newer(connection, peer, self_id)
        if op.was_tried and (known := _own_message(newer.updates, text)) is not None:
            return Receipt((str(known),), facts={"found_by_looking": True})
        if op.was_tried and not op.may_repeat:
            raise OutcomeUnknown("not_found_in_chat")
        if op.looks_first and any(update["kind"] in ("message", "call") for update in newer.updates):
            raise NewerMessages(newer)
    reply_to = types.InputReplyToMessage(int(op.reply_to)) if op.reply_to else None
    answer = await _call(
        connection,
        functions.messages.SendMessageRequest(
            peer=peer.input,
            message=text,
            random_id=int(op.client_ref),
            entities=entities,
            no_webpage=_no_preview(op),
            silent=op.content.silent or None,
            reply_to=reply_to,
        ),
        changes=True,
    )
    return _receipt(answer, int(op.client_ref))


async def _newer(connection: AccountConnection, peer: Peer, self_id: int) -> Projected:
    """What the chat holds beyond what is known here. A failure to look says nothing of sending: it is tried again."""
    try:
        return await differences.look(connection, [peer], self_id)
    except RPCError as error:
        raise _before_sending(channel_error(error)) from None
    except KeyUnknown:
        raise SenderDisabled("logged_out", "AUTH_KEY_UNKNOWN") from None
    except (NotConnected, ConnectionLost):
        raise not_connected() from None


def _before_sending(error: ChannelError) -> ChannelError:
    return RetryLater(_SOON, error.code, scope="chat") if isinstance(error, OutcomeUnknown) else error


async def _call(connection: AccountConnection, request: Any, *, changes: bool) -> Any:
    """The answer; `changes` says that a lost one leaves the outcome unknown."""
    try:
        return await connection.call(request)
    except RPCError as error:
        raise channel_error(error) from None
    except KeyUnknown:
        raise SenderDisabled("logged_out", "AUTH_KEY_UNKNOWN") from None
    except NotConnected:
        raise not_connected() from None
    except ConnectionLost:
        if changes:
            raise OutcomeUnknown("connection_dropped") from None
        raise not_connected() from None


def _own_message(updates: Sequence[dict[str, Any]], text: str) -> int | None:
    """The id of our own message with this text among what is newer; the newest of several."""
    ids = [
        int(update["id"])
        for update in updates
        if update["kind"] == "message" and update.get("out") and update.get("text", "") == text.strip()
    ]
    return max(ids, default=None)


def _receipt(answer: Any, random_id: int) -> Receipt:
    """The id that Telegram gave the message. A repetition is answered with the id of the first time."""
    if name_of(answer) == "UpdateShortSentMessage":
        return Receipt((str(answer.id),))
    updates = getattr(answer, "updates", None) or ()
    for update in updates:
        if name_of(update) == "UpdateMessageID" and update.random_id == random_id:
            return Receipt((str(update.id),))
    for update in updates:
        if name_of(update) == "UpdateNewMessage":
            return Receipt((str(update.message.id),))
    raise OutcomeUnknown("unreadable_answer", name_of(answer))


def _text_of(op: Operation) -> tuple[str, list[Any] | None]:
    content = op.content or Content()
    text, entities = formatting.entities_of(content)
    if not text.strip():
        raise Rejected("empty_message")
    return text, [_entity(entity) for entity in entities] or None


def _entity(entity: Entity) -> Any:
    if entity.kind == "a":
        return types.MessageEntityTextUrl(entity.offset, entity.length, entity.href or "")
    if entity.kind == "pre":
        return types.MessageEntityPre(entity.offset, entity.length, "")
    return _ENTITIES[entity.kind](entity.offset, entity.length)


def _no_preview(op: Operation) -> bool | None:
    return None if op.content is None or op.content.link_preview else True


def _id_of(op: Operation) -> int:
    if op.external_id is None or not op.external_id.isdigit():
        raise Rejected("message_gone")
    return int(op.external_id)
