"""Files that people sent: fetched from the address that came with the message, or from a new one when it has expired.

The address is whatever a webhook's body said, so the guarded client goes there, and it never gets a token. Only what
stands at the operator's own address of the Graph API may be private (a simulator's).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO, Final
from urllib.parse import urlsplit

from backend.channels.errors import ChannelError, OutcomeUnknown, Rejected, RetryLater
from backend.channels.graph import GraphClient, reading
from backend.channels.meta_messaging.attachments import FileId, address
from backend.core.egress import Egress, EgressFailed, EgressRefused

_EXPIRED: Final = frozenset({400, 401, 403, 404, 410})
_LATER: Final = 5.0
_HOLDERS: Final = ("image_data", "video_data", "audio_data", "file_data")


def download(
    client: GraphClient,
    origin: str,
    file_id: str,
    sink: BinaryIO,
    *,
    fields: str,
    max_bytes: int,
    timeout: float,
    private: bool,
) -> int:
    """Writes the file into `sink`; returns its size in bytes.

    `origin` is the address of the Graph API; `private` allows private addresses everywhere (development). Raises one of
    the five errors: Rejected(`file_gone`) where the message does not have it any more.
    """
    file = FileId.read(file_id)
    start = sink.tell()
    if file.url:
        status, size = _fetch(file.url, origin, sink, max_bytes, timeout, private)
        if status == 200:
            return size
        if status not in _EXPIRED:
            raise RetryLater(_LATER, f"http_{status}")
        # What was written is the page that says so.
        sink.seek(start)
        sink.truncate()
    status, size = _fetch(_address_of(client, file, fields), origin, sink, max_bytes, timeout, private)
    if status == 200:
        return size
    raise Rejected("file_gone") if status in _EXPIRED else RetryLater(_LATER, f"http_{status}")


def _address_of(client: GraphClient, file: FileId, fields: str) -> str:
    """Where the file is now, as the message says."""
    answer = client.get(file.message_id, fields)
    if "attachments" not in answer and "story" not in answer and not reading.identifier(answer.get("id")):
        raise OutcomeUnknown("unreadable_answer")
    listed = list(_addresses(answer))
    url = listed[file.place] if file.place < len(listed) else ""
    if not url:
        raise Rejected("file_gone")
    return url


def _addresses(answer: Mapping[str, Any]) -> Iterator[str]:
    for attachment in reading.objects(reading.mapping(answer, "attachments").get("data")):
        holders = [attachment.get("file_url"), *(reading.mapping(attachment, name).get("url") for name in _HOLDERS)]
        yield next((url for url in map(address, holders) if url), "")
    for name in ("mention", "reply_to"):
        if link := address(reading.mapping(answer, "story", name).get("link")):
            yield link


def _fetch(url: str, origin: str, sink: BinaryIO, max_bytes: int, timeout: float, private: bool) -> tuple[int, int]:
    """Status and size of what stands at an address."""
    own = _origin(url) == _origin(origin)
    client = Egress(allow_private=own or private)
    failure: ChannelError
    try:
        # At our own exception nothing may lead elsewhere.
        answer = client.fetch_to(sink, "GET", url, timeout=timeout, max_bytes=max_bytes, max_redirects=0 if own else 3)
        return answer.status, answer.size
    except EgressRefused as error:
        failure = Rejected("file_address_refused", error.code)
    except EgressFailed as error:
        failure = Rejected("file_too_large") if error.code == "response_too_large" else RetryLater(_LATER, error.code)
    raise failure


def _origin(url: str) -> tuple[str, str]:
    try:
        parts = urlsplit(url)
        return parts.scheme, parts.netloc.lower()
    except ValueError:
        return "", ""
