"""The channel `whatsapp`: numbers of Meta's Cloud API."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from backend.channels.base import Content, Credentials, Limits, Operation, Rate, Receipt, SenderFacts
from backend.channels.errors import OutcomeUnknown, Rejected
from backend.channels.forms import AS_MEANT, Form
from backend.channels.graph import GraphApi, GraphClient, reading
from backend.channels.whatsapp import administration, formatting, requests
from backend.channels.whatsapp.media import Prepared, Uploads, prepare

LIMITS: Final = Limits(per_sender=(Rate(80, 1.0),), per_chat=(Rate(45, 270.0),))
"""80 messages a second of a number. A person may get 45 at once and one more each six seconds (Meta's bucket)."""
_BUTTON_REFUSALS: Final = ("refused", "buttons_refused", "buttons_too_long", "text_too_long")
_MEDIA_REFUSALS: Final = ("media_refused", "media_not_fetched", "refused")


class WhatsApp:
    """See `backend.channels.base.Channel`."""

    name = "whatsapp"
    limits = LIMITS

    def __init__(self, api: GraphApi) -> None:
        self.api = api
        self._uploads = Uploads()

    def perform(self, credentials: Credentials, op: Operation, *, deadline: float) -> Receipt:
        """Carries out one operation; a file is uploaded by a request of its own before the one that sends it."""
        client, number = self.api.client(credentials.token), administration.number_of(credentials)
        match op.kind:
            case "send":
                return self._send(client, number, op, deadline)
            case "chat_action":
                if not op.external_id:
                    # WhatsApp shows typing under a message that it was told about, and under no other.
                    return Receipt(facts={"skipped": True})
                mark = requests.read_mark(op.external_id, typing=op.text != "mark_read")
                client.post(f"{number}/messages", mark, deadline=deadline)
                return Receipt()
            case "answer_callback":
                # A press comes as a message, which waits for no answer.
                return Receipt(facts={"skipped": True})
            case "edit" | "edit_buttons":
                raise Rejected("edit_unsupported")
            case "delete":
                raise Rejected("delete_unsupported")
        raise Rejected("operation_unknown", str(op.kind))

    def _send(self, client: GraphClient, number: str, op: Operation, deadline: float) -> Receipt:
        content = op.content or Content()
        media = self._media(client, number, content, deadline)
        body = requests.message(op, content, media)
        try:
            answer = client.post(f"{number}/messages", body, publishes=True, deadline=deadline)
        except Rejected:
            for item in content.media:
                self._uploads.forget(number, item)
            raise
        return _receipt(answer)

    def _media(
        self, client: GraphClient, number: str, content: Content, deadline: float
    ) -> tuple[Prepared, Mapping[str, str]] | None:
        if not content.media:
            return None
        item = content.media[0]
        prepared = prepare(item)
        if item.external_file_id is not None:
            return prepared, {"id": item.external_file_id}
        if item.opener is None:
            return prepared, {"link": item.url or ""}
        media_id = self._uploads.get(number, item)
        if media_id is None:
            answer = client.upload(
                f"{number}/media",
                {"messaging_product": "whatsapp", "type": prepared.mime},
                prepared.filename,
                prepared.mime,
                item.opener,
                field="file",
                deadline=deadline,
            )
            media_id = reading.identifier(answer.get("id"))
            if not media_id:
                raise OutcomeUnknown("unreadable_answer")
            self._uploads.put(number, item, media_id)
        return prepared, {"id": media_id}

    def split(self, content: Content, form: Form = AS_MEANT, *, first: int = 0) -> list[Content]:
        """The contents that are one send each."""
        return formatting.split(content, form)

    def milder(self, op: Operation, refusal: Rejected) -> Form | None:
        """A file as a document; then without buttons, whose addresses stand in the text."""
        content, form = op.content, op.form
        if content is None or op.kind != "send" or content.template is not None:
            return None
        kinds = [item.kind for item in content.media]
        if kinds and kinds != ["document"] and refusal.code in _MEDIA_REFUSALS and not form.as_documents:
            return replace(form, as_documents=True)
        if content.buttons and refusal.code in _BUTTON_REFUSALS and not form.without_buttons:
            return replace(form, without_buttons=True)
        return None

    def probe(self, credentials: Credentials) -> SenderFacts:
        """The number that the credentials speak for."""
        return administration.facts(self.api.client(credentials.token), credentials)


def _receipt(answer: Mapping[str, Any]) -> Receipt:
    message, contact = reading.first(answer.get("messages")), reading.first(answer.get("contacts"))
    message_id = reading.identifier(message.get("id"))
    if not message_id:
        raise OutcomeUnknown("unreadable_answer")
    facts: dict[str, Any] = {}
    if message.get("message_status") == "held_for_quality_assessment":
        facts["held"] = True
    for name in ("wa_id", "user_id"):
        if known := reading.identifier(contact.get(name)):
            facts[name] = known
    return Receipt((message_id,), facts)
