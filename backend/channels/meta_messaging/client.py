"""Messenger and Instagram as channels: one operation, one request that people see."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from backend.channels.base import Button, Content, Credentials, Limits, Operation, Rate, Receipt, SenderFacts
from backend.channels.capabilities import Length
from backend.channels.errors import OutcomeUnknown, Rejected
from backend.channels.forms import AS_MEANT, Form
from backend.channels.graph import GraphApi, GraphClient, reading
from backend.channels.meta_messaging import accounts, errors, texts, uploads
from backend.channels.meta_messaging.accounts import Access
from backend.channels.meta_messaging.texts import layout_of, title_of
from backend.channels.transport import Timeouts

LIMITS: Final = Limits(
    per_sender=(Rate(300, 1.0),),
    per_chat=(Rate(10, 1.0),),
    per_kind={"recording": (Rate(10, 1.0),)},
)
"""Of a page or an account: 300 a second, 10 of them with sound or video."""
_ACTIONS: Final = {
    "": "typing_on",
    "typing": "typing_on",
    "typing_off": "typing_off",
    "read": "mark_seen",
    "mark_seen": "mark_seen",
}
_PERSON: Final = re.compile(r"[A-Za-z0-9_.\-]{1,128}", re.ASCII)
_MEDIA_REFUSALS: Final = frozenset(
    {"refused", "media_refused", "file_too_large", "file_missing", "file_gone", "media_source_refused"}
)


class MetaMessaging:
    """See `backend.channels.base.Channel`. `access_of` chooses the API by the token: Instagram has two.

    `text` is the longest text; `echoes_reference` says that what we give a message comes back with its echo.
    """

    limits = LIMITS

    def __init__(
        self, name: str, text: Length, access_of: Callable[[str], Access], *, echoes_reference: bool, platform: str = ""
    ) -> None:
        self.name = name
        self._text = text
        self._access_of = access_of
        self._echoes_reference = echoes_reference
        self._platform = platform
        self._uploads = uploads.Uploads()

    def perform(self, credentials: Credentials, op: Operation, *, deadline: float) -> Receipt:
        """Sends a part, or shows that somebody is typing or has read."""
        if op.kind not in ("send", "chat_action"):
            raise Rejected("operation_unknown", op.kind)
        if op.chat_id is None or not _PERSON.fullmatch(op.chat_id):
            raise Rejected("chat_id_malformed")
        client = self._access_of(credentials.token).api.client(credentials.token)
        if op.kind == "chat_action":
            return self._act(client, op, deadline)
        if op.content is None:
            raise Rejected("text_empty")
        return self._send(client, credentials.token, op, op.content, deadline)

    def split(self, content: Content, form: Form = AS_MEANT, *, first: int = 0) -> list[Content]:
        """Each picture and file alone, then the text in pieces."""
        return texts.split(content, self._text, form, first=first)

    def milder(self, op: Operation, refusal: Rejected) -> Form | None:
        """Shorter pieces, or without the file, or without the buttons."""
        if op.kind != "send" or op.content is None:
            return None
        form, content = op.form, op.content
        choices = [
            replace(form, narrower=form.narrower + 1)
            if refusal.code == "text_too_long" and form.narrower < texts.MAX_HALVINGS
            else None,
            replace(form, media_kept=op.part) if refusal.code in _MEDIA_REFUSALS and content.media else None,
            replace(form, without_buttons=True) if refusal.code == "refused" and content.buttons else None,
        ]
        for choice in choices:
            if choice is not None and self.split(content, choice, first=op.part) != [content]:
                return choice
        return None

    def probe(self, credentials: Credentials) -> SenderFacts:
        """The page, or the Instagram account, that the token speaks for."""
        access = self._access_of(credentials.token)
        return accounts.probe(access.api.client(credentials.token), access.kind)

    def _act(self, client: GraphClient, op: Operation, deadline: float) -> Receipt:
        action = _ACTIONS.get(op.text)
        if action is None:
            raise Rejected("operation_unknown", op.text)
        params = {"recipient": {"id": op.chat_id}, "sender_action": action}
        client.post("me/messages", params, deadline=deadline, publishes=True)
        return Receipt()

    def _send(self, client: GraphClient, token: str, op: Operation, content: Content, deadline: float) -> Receipt:
        message = self._message(client, token, content, deadline)
        if self._echoes_reference and op.client_ref:
            message["metadata"] = op.client_ref
        params: dict[str, Any] = {"recipient": {"id": op.chat_id}, "messaging_type": "RESPONSE", "message": message}
        if op.human_agent:
            params |= {"messaging_type": "MESSAGE_TAG", "tag": "HUMAN_AGENT"}
        quoted = {"reply_to": {"mid": op.reply_to}} if op.reply_to else {}
        refusal: Rejected | None = None
        answer: dict[str, Any] = {}
        try:
            answer = client.post("me/messages", params | quoted, publishes=True, deadline=deadline)
        except Rejected as error:
            refusal = error
        if refusal is not None and refusal.code == "refused" and content.media:
            self._uploads.forget(token, content.media[0])
        if refusal is not None and refusal.code == "refused" and quoted and time.monotonic() < deadline:
            # What it quotes may be older than a day or gone; nothing was said yet, and the words count.
            answer, refusal = client.post("me/messages", params, publishes=True, deadline=deadline), None
        if refusal is not None:
            raise refusal
        message_id = reading.identifier(answer.get("message_id"))
        if not message_id:
            raise OutcomeUnknown("unreadable_answer")
        return Receipt((message_id,))

    def _message(self, client: GraphClient, token: str, content: Content, deadline: float) -> dict[str, Any]:
        if content.media:
            media = content.media[0]
            if media.kind not in uploads.TYPES:
                raise Rejected("media_unsupported")
            attachment_id = None
            if media.storage_key is not None or media.opener is not None:
                attachment_id = self._uploads.known(token, media)
            if attachment_id is None and (media.storage_key is not None or media.opener is not None):
                fields = {"platform": self._platform} if self._platform else {}
                attachment_id = uploads.upload(client, media, fields, deadline)
                self._uploads.keep(token, media, attachment_id)
            return {"attachment": uploads.attachment(media, attachment_id)}
        layout = layout_of(content.buttons, content.text)
        text = "\n\n".join(piece for piece in (content.text, layout.lines) if piece)
        if not text.strip():
            raise Rejected("text_empty")
        if layout.template:
            buttons = [_template_button(button) for button in layout.template]
            payload = {"template_type": "button", "text": text, "buttons": buttons}
            return {"attachment": {"type": "template", "payload": payload}}
        message: dict[str, Any] = {"text": text}
        if layout.choices:
            message["quick_replies"] = [
                {"content_type": "text", "title": title_of(button), "payload": _data(button)}
                for button in layout.choices
            ]
        return message


def _template_button(button: Button) -> dict[str, str]:
    if button.url is not None:
        return {"type": "web_url", "title": title_of(button), "url": button.url}
    return {"type": "postback", "title": title_of(button), "payload": _data(button)}


def _data(button: Button) -> str:
    data = button.data or button.text
    if len(data) > texts.DATA_CHARACTERS:
        raise Rejected("buttons_too_long")
    return data


def api(base_url: str, version: str, *, pool_size: int = 4, timeouts: Timeouts | None = None) -> GraphApi:
    """The Graph API with the meanings that refusals have for messages."""
    return GraphApi(base_url, version, pool_size=pool_size, timeouts=timeouts, read_refusal=errors.read)
