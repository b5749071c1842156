"""Operations as Bot API requests, and answers as receipts: pure functions of plain values."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from backend.channels import richtext
from backend.channels.base import Button, Content, Media, MediaKind, Operation, Receipt
from backend.channels.errors import OutcomeUnknown, Rejected
from backend.channels.telegram_bot import formatting, keyboards, limits
from backend.channels.telegram_bot.client import Upload
from backend.core.egress.answers import whole_number

_CHAT_ID = re.compile(r"-?[0-9]{1,19}")
_CHAT_NAME = re.compile(r"@[A-Za-z0-9_]{1,64}")
_MESSAGE_ID = re.compile(r"[0-9]{1,19}")
GENERAL_TOPIC = "1"
_METHODS: Final[Mapping[MediaKind, str]] = {
    "photo": "sendPhoto",
    "document": "sendDocument",
    "video": "sendVideo",
    "audio": "sendAudio",
    "voice": "sendVoice",
    "sticker": "sendSticker",
}


@dataclass(frozen=True, slots=True)
class Request:
    """One Bot API call."""

    method: str
    params: Mapping[str, Any]
    uploads: tuple[Upload, ...] = field(default=())


def request_of(op: Operation) -> Request:
    """The call that carries out this operation. Raises Rejected for one that cannot be expressed."""
    match op.kind:
        case "send":
            return _send(op, _content(op))
        case "edit":
            return _edit(op, _content(op))
        case "edit_buttons":
            params = _target(op) | {"reply_markup": _markup(op.content.buttons if op.content else ())}
            return Request("editMessageReplyMarkup", params)
        case "delete":
            return Request("deleteMessage", _target(op))
        case "answer_callback":
            if not op.external_id:
                raise Rejected("callback_id_missing")
            answer = richtext.shorten(richtext.storable(op.text), limits.CALLBACK_ANSWER_UNITS) or None
            params = {
                "callback_query_id": op.external_id,
                "text": answer,
                "show_alert": op.show_alert or None,
            }
            return Request("answerCallbackQuery", params)
        case "chat_action":
            params = {
                "chat_id": chat_id(op.chat_id),
                "action": op.text or "typing",
                "message_thread_id": _thread(op),
            }
            return Request("sendChatAction", params)
    raise Rejected("operation_unknown", str(op.kind))


def _content(op: Operation) -> Content:
    if op.content is None:
        raise Rejected("text_empty")
    if op.content.template is not None:
        raise Rejected("template_unsupported")
    return op.content


def _send(op: Operation, content: Content) -> Request:
    params: dict[str, Any] = {
        "chat_id": chat_id(op.chat_id),
        "message_thread_id": _thread(op),
        "disable_notification": content.silent or None,
        "reply_parameters": _reply(op),
    }
    if len(content.media) > 1:
        return _album(params, content)
    params["reply_markup"] = _markup(content.buttons)
    if not content.media:
        return Request("sendMessage", params | _text("text", content) | _preview(content))
    item = formatting.as_sendable(content.media[0])
    reference, uploads = _source(item, item.kind)
    # A sticker has no caption.
    params |= {item.kind: reference} | (_caption(content) if item.kind != "sticker" else {})
    return Request(_METHODS[item.kind], params, uploads)


def _album(params: dict[str, Any], content: Content) -> Request:
    if content.buttons:
        raise Rejected("buttons_refused", "an album has no buttons")
    entries: list[dict[str, Any]] = []
    uploads: tuple[Upload, ...] = ()
    for index, media in enumerate(content.media):
        item = formatting.as_sendable(media)
        reference, more = _source(item, f"file{index}")
        entry = {"type": item.kind, "media": reference or f"attach://file{index}"}
        entries.append(entry | (_given(_caption(content)) if index == 0 else {}))
        uploads += more
    return Request("sendMediaGroup", params | {"media": entries}, uploads)


def _edit(op: Operation, content: Content) -> Request:
    params = _target(op) | {"reply_markup": _markup(content.buttons)}
    if content.media:
        return Request("editMessageCaption", params | _caption(content))
    return Request("editMessageText", params | _text("text", content) | _preview(content))


def _target(op: Operation) -> dict[str, Any]:
    return {"chat_id": chat_id(op.chat_id), "message_id": _message_id(op.external_id)}


def _text(name: str, content: Content) -> dict[str, Any]:
    # Reading and writing the markup leaves only the tags that are allowed, balanced and escaped.
    runs = formatting.runs_of(content.text, content.format)
    if name == "text" and not richtext.has_visible(richtext.visible(runs)):
        raise Rejected("text_empty")
    if content.format == "html":
        return {name: richtext.write(runs), "parse_mode": "HTML"}
    return {name: richtext.visible(runs)}


def _caption(content: Content) -> dict[str, Any]:
    return _text("caption", content) if content.text else {}


def _preview(content: Content) -> dict[str, Any]:
    return {} if content.link_preview else {"link_preview_options": {"is_disabled": True}}


def _given(params: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in params.items() if value is not None}


def _source(item: Media, field_name: str) -> tuple[str | None, tuple[Upload, ...]]:
    """Where the file comes from: an id or address for the parameter, or an upload under this field's name."""
    if item.external_file_id is not None or item.url is not None:
        return item.external_file_id or item.url, ()
    if item.opener is None:
        raise Rejected("file_missing")
    photo = item.kind == "photo"
    upload = Upload(
        name=field_name,
        filename=richtext.storable(item.filename or ("photo.jpg" if photo else "file")),
        mime=item.mime or "application/octet-stream",
        opener=item.opener,
        max_bytes=limits.PHOTO_BYTES if photo else limits.UPLOAD_BYTES,
        too_large_code="photo_refused" if photo else "file_too_large",
    )
    return None, (upload,)


def _markup(rows: Sequence[Sequence[Button]]) -> dict[str, Any] | None:
    for row in rows:
        for button in row:
            if button.url is not None and not richtext.is_web_address(button.url):
                raise Rejected("button_address_refused", about=button.url)
    try:
        return keyboards.build_keyboard(rows)
    except ValueError:
        raise Rejected("buttons_refused", "a button's text or data does not fit") from None


def chat_id(value: str | None) -> int | str:
    """A chat id as Telegram takes it: a number, or a public name with its @. Raises Rejected for anything
    else."""
    if value is not None and _CHAT_ID.fullmatch(value):
        return int(value)
    if value is not None and _CHAT_NAME.fullmatch(value):
        return value
    raise Rejected("chat_id_malformed")


def _message_id(value: str | None) -> int:
    if value is None or not _MESSAGE_ID.fullmatch(value):
        raise Rejected("message_id_malformed")
    return int(value)


def _thread(op: Operation) -> int | None:
    # Telegram knows the general topic only by leaving the parameter out: 1 gives "message thread not found".
    return None if op.thread_id in (None, GENERAL_TOPIC) else _message_id(op.thread_id)


def _reply(op: Operation) -> dict[str, Any] | None:
    if op.reply_to is None:
        return None
    return {"message_id": _message_id(op.reply_to), "allow_sending_without_reply": True}


def receipt_of(op: Operation, result: Any) -> Receipt:
    """What Telegram confirmed. Raises OutcomeUnknown when a sent message came back without an id."""
    if op.kind != "send":
        # An edit answers with the message, or with true for an inline one; the id stays what it was.
        return Receipt((op.external_id,) if op.kind in ("edit", "edit_buttons") and op.external_id else ())
    messages = result if isinstance(result, list) else [result]
    ids = [whole_number(message.get("message_id")) if isinstance(message, dict) else None for message in messages]
    if not ids or None in ids:
        raise OutcomeUnknown("unreadable_answer")
    facts: dict[str, Any] = {}
    if (date := whole_number(messages[0].get("date"))) is not None:
        facts["sent_at"] = date
    if file_ids := [file_id for message in messages if (file_id := _file_id(message))]:
        facts["file_ids"] = file_ids
    return Receipt(tuple(str(message_id) for message_id in ids), facts=facts)


def _file_id(message: Mapping[str, Any]) -> str | None:
    photos = message.get("photo")
    largest = photos[-1] if isinstance(photos, list) and photos else message.get("document")
    file_id = largest.get("file_id") if isinstance(largest, dict) else None
    return file_id if isinstance(file_id, str) else None
