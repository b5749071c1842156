"""Files at Meta: uploaded first, which nobody sees and which may be repeated, then sent by the id.

What was uploaded is remembered for a while: a send that the end of a lease stops behind its upload has only to be sent
when it comes again, and a picture of many messages is uploaded once.
"""

from __future__ import annotations

import json
import mimetypes
import threading
from collections import OrderedDict
from hashlib import sha256
from time import monotonic
from typing import Any, Final

from backend.channels.base import Media
from backend.channels.errors import OutcomeUnknown, Rejected, RetryLater
from backend.channels.graph import GraphClient, reading

TYPES: Final = {
    "photo": "image",
    "sticker": "image",
    "video": "video",
    "audio": "audio",
    "voice": "audio",
    "document": "file",
}
"""Meta's word for each kind of media."""
RETRY_WAIT: Final = 30.0
_KEPT: Final = 1024
_KEPT_SECONDS: Final = 3600.0
_UNTYPED: Final = "application/octet-stream"


class Uploads:
    """The ids of what this process has uploaded of late, by account and stored file."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: OrderedDict[tuple[str, str], tuple[str, float]] = OrderedDict()

    def known(self, token: str, media: Media) -> str | None:
        """The id of a file that was uploaded with this token; None where it has to be uploaded."""
        with self._lock:
            kept = self._known.get(_key(token, media))
            return kept[0] if kept is not None and monotonic() - kept[1] < _KEPT_SECONDS else None

    def keep(self, token: str, media: Media, attachment_id: str) -> None:
        """Remembers an upload."""
        if media.storage_key is None:
            return
        with self._lock:
            self._known[_key(token, media)] = (attachment_id, monotonic())
            self._known.move_to_end(_key(token, media))
            while len(self._known) > _KEPT:
                self._known.popitem(last=False)

    def forget(self, token: str, media: Media) -> None:
        """The provider does not know the id any more."""
        with self._lock:
            self._known.pop(_key(token, media), None)


def upload(client: GraphClient, media: Media, fields: dict[str, str], deadline: float) -> str:
    """Uploads a stored file; its id. Raises RetryLater where the outcome is not known: nobody has seen anything."""
    if media.opener is None:
        raise Rejected("file_missing")
    kind = TYPES[media.kind]
    given = {**fields, "message": json.dumps({"attachment": {"type": kind, "payload": {"is_reusable": True}}})}
    filename, mime = name_of(media)
    try:
        answer = client.upload(
            "me/message_attachments", given, filename, mime, media.opener, field="filedata", deadline=deadline
        )
        attachment_id = reading.identifier(answer.get("attachment_id"))
        failure = None if attachment_id else RetryLater(RETRY_WAIT, "unreadable_answer")
    except OutcomeUnknown as error:
        attachment_id, failure = "", RetryLater(RETRY_WAIT, error.code, detail=error.detail)
    if failure is not None:
        # Outside of the handler: an error of a channel stands for itself.
        raise failure
    return attachment_id


def attachment(media: Media, attachment_id: str | None) -> dict[str, Any]:
    """The attachment of a message: by an id at Meta, else by the file's address."""
    payload: dict[str, Any] = {"attachment_id": attachment_id or media.external_file_id}
    if attachment_id is None and media.external_file_id is None:
        payload = {"url": media.url, "is_reusable": False}
    return {"type": TYPES[media.kind], "payload": payload}


def name_of(media: Media) -> tuple[str, str]:
    """A file's name and type; Meta goes by both."""
    mime = (media.mime or "").split(";")[0].strip().lower()
    if not mime and media.filename:
        mime = mimetypes.guess_type(media.filename)[0] or ""
    name = media.filename or f"{media.kind}{mimetypes.guess_extension(mime) or '' if mime else ''}"
    return name, mime or _UNTYPED


def _key(token: str, media: Media) -> tuple[str, str]:
    return sha256(token.encode("utf-8", "replace")).hexdigest(), f"{TYPES[media.kind]}:{media.storage_key}"
