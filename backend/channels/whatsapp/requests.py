"""Operations as bodies of `POST /<number>/messages`: pure functions of plain values."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from backend.channels import richtext
from backend.channels.base import Button, Content, Operation, Template
from backend.channels.errors import Rejected
from backend.channels.whatsapp import people
from backend.channels.whatsapp.formatting import (
    BUTTON_CHARACTERS,
    BUTTON_DATA_CHARACTERS,
    BUTTONS,
    CAPTION_CHARACTERS,
    body_of,
)
from backend.channels.whatsapp.media import CAPTIONED, Prepared

_MESSAGE_ID: Final = re.compile(r"[\x21-\x7e]{1,512}")
_DIGITS: Final = re.compile(r"[0-9]{5,20}", re.ASCII)
MAX_CLIENT_REF: Final = 512


def address(chat_id: str | None) -> dict[str, str]:
    """Whom a message is for: a number in `to`, a business-scoped id in `recipient`. Raises Rejected for neither."""
    if chat_id is not None and _DIGITS.fullmatch(chat_id):
        return {"recipient_type": "individual", "to": chat_id}
    if chat_id is not None and people.is_bsuid(chat_id):
        # In `to` it would be accepted and lost.
        return {"recipient_type": "individual", "recipient": chat_id}
    raise Rejected("chat_id_malformed")


def message(op: Operation, content: Content, media: tuple[Prepared, Mapping[str, str]] | None) -> dict[str, Any]:
    """The body of a send. `media` is the file as WhatsApp is to get it, and where it is (`id` or `link`)."""
    body: dict[str, Any] = {"messaging_product": "whatsapp", **address(op.chat_id), **_content(content, media)}
    if op.reply_to and _MESSAGE_ID.fullmatch(op.reply_to):
        body["context"] = {"message_id": op.reply_to}
    if op.client_ref:
        body["biz_opaque_callback_data"] = op.client_ref[:MAX_CLIENT_REF]
    return body


def read_mark(message_id: str, *, typing: bool) -> dict[str, Any]:
    """Marks a person's message, and all before it, as read; `typing` shows that an answer is being written."""
    if not _MESSAGE_ID.fullmatch(message_id):
        raise Rejected("message_id_malformed")
    body: dict[str, Any] = {"messaging_product": "whatsapp", "status": "read", "message_id": message_id}
    return body | ({"typing_indicator": {"type": "text"}} if typing else {})


def _content(content: Content, media: tuple[Prepared, Mapping[str, str]] | None) -> dict[str, Any]:
    if content.template is not None:
        return {"type": "template", "template": _template(content.template)}
    if content.buttons:
        return {"type": "interactive", "interactive": _interactive(content, media)}
    if media is not None:
        prepared, source = media
        block: dict[str, Any] = dict(source)
        if prepared.kind in CAPTIONED and content.text:
            block["caption"] = content.text
        if prepared.kind == "document":
            block["filename"] = prepared.filename
        if prepared.voice:
            block["voice"] = True
        return {"type": prepared.kind, prepared.kind: block}
    text = richtext.storable(content.text)
    if not richtext.has_visible(text):
        raise Rejected("text_empty")
    return {"type": "text", "text": {"body": text, "preview_url": content.link_preview}}


def _interactive(content: Content, media: tuple[Prepared, Mapping[str, str]] | None) -> dict[str, Any]:
    buttons = [button for row in content.buttons for button in row]
    block: dict[str, Any] = {"body": {"text": body_of(content)}}
    if len(block["body"]["text"]) > CAPTION_CHARACTERS:
        raise Rejected("text_too_long")
    if media is not None:
        prepared, source = media
        header: dict[str, Any] = dict(source)
        if prepared.kind == "document":
            header["filename"] = prepared.filename
        block["header"] = {"type": prepared.kind, prepared.kind: header}
    if len(buttons) == 1 and buttons[0].url is not None:
        parameters = {"display_text": _title(buttons[0]), "url": buttons[0].url}
        return block | {"type": "cta_url", "action": {"name": "cta_url", "parameters": parameters}}
    replies = [button for button in buttons if button.data is not None]
    if not 1 <= len(replies) <= BUTTONS:
        raise Rejected("buttons_refused")
    return block | {"type": "button", "action": {"buttons": _replies(replies)}}


def _replies(buttons: Sequence[Button]) -> list[dict[str, Any]]:
    titles: list[str] = []
    for button in buttons:
        title = _title(button)
        # Titles must differ; those that were cut to the same are numbered.
        if title in titles:
            title = f"{title[: BUTTON_CHARACTERS - 2].rstrip()} {len(titles) + 1}"
        titles.append(title)
    if any(len(button.data or "") > BUTTON_DATA_CHARACTERS for button in buttons):
        raise Rejected("buttons_too_long")
    return [
        {"type": "reply", "reply": {"id": button.data, "title": title}}
        for button, title in zip(buttons, titles, strict=True)
    ]


def _title(button: Button) -> str:
    title = richtext.storable(button.text).strip()
    return title if len(title) <= BUTTON_CHARACTERS else title[: BUTTON_CHARACTERS - 1].rstrip() + "…"


def _template(template: Template) -> dict[str, Any]:
    components: list[dict[str, Any]] = []
    for kind, values in (("header", template.header), ("body", template.body)):
        if values:
            components.append({"type": kind, "parameters": [{"type": "text", "text": value} for value in values]})
    for place, value in enumerate(template.buttons):
        if value:
            parameters = [{"type": "text", "text": value}]
            components.append({"type": "button", "sub_type": "url", "index": str(place), "parameters": parameters})
    components += [dict(component) for component in template.components]
    block: dict[str, Any] = {"name": template.name, "language": {"code": template.language}}
    return block | ({"components": components} if components else {})
