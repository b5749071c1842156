"""Downloading one file into the storage: by the guarded client from an address, or from a provider by its file id.

No transaction may be open meanwhile.
"""

from __future__ import annotations

import tempfile
from contextlib import suppress
from dataclasses import dataclass
from typing import BinaryIO, Final
from urllib.parse import unquote, urlsplit

from backend.channels.errors import ChannelError, OutcomeUnknown, RetryLater
from backend.core import config, storage
from backend.core.egress import Egress, EgressFailed, EgressRefused
from backend.core.errors import AppError, StorageFull, Unavailable
from backend.core.logging import get_logger
from backend.services import senders
from backend.services.files import stored_files

log = get_logger(__name__)

TIMEOUT: Final = 30.0
"""Seconds that one download may take."""
_LASTING: Final = frozenset({"response_too_large", "unsupported_encoding", "too_many_redirects"})


@dataclass(frozen=True, slots=True)
class Source:
    """Where a file is: an http(s) address, or with `sender_id` the file id of that sender's provider."""

    value: str
    sender_id: int | None = None


class DownloadFailed(Exception):
    """Nothing usable came; `transient` says whether another try may fare better."""

    def __init__(self, code: str, *, transient: bool = False) -> None:
        super().__init__(code)
        self.code = code
        self.transient = transient


def download(source: Source, kind: str, timeout: float = TIMEOUT) -> storage.StoredFile:
    """Stores the source's content; `kind` (`photo`, `document`) decides what is accepted. Raises DownloadFailed."""
    try:
        return _download(source, kind, timeout)
    except DownloadFailed:
        raise
    except OSError as error:
        raise DownloadFailed(storage.storage_fault(error).code, transient=True) from None
    except Exception as error:
        log.exception("download_defect", error=type(error).__name__)
        raise DownloadFailed("internal_error", transient=True) from None


def failure_of(error: Exception) -> DownloadFailed:
    """What an error after the download means: our own refusal lasts, a defect may be over the next time."""
    if isinstance(error, AppError):
        return DownloadFailed(error.code, transient=isinstance(error, StorageFull | Unavailable))
    return DownloadFailed("internal_error", transient=True)


def name_of(source: Source) -> str:
    """The file's name in an address; empty where there is none."""
    if source.sender_id is None:
        with suppress(ValueError):
            return unquote(urlsplit(source.value).path.rsplit("/", 1)[-1])
    return ""


def _download(source: Source, kind: str, timeout: float) -> storage.StoredFile:
    max_bytes = stored_files.max_bytes_of(kind)
    with tempfile.TemporaryFile() as sink:
        if source.sender_id is None:
            _from_address(source.value, sink, timeout, max_bytes)
        else:
            _from_provider(source.sender_id, source.value, sink, max_bytes)
        sink.seek(0)
        try:
            stored = stored_files.put(sink, max_bytes=max_bytes)
        except AppError as error:
            raise failure_of(error) from None
    if kind == "photo" and stored.mime not in stored_files.PHOTO_TYPES:
        stored_files.storage_of_instance().delete(stored.key)
        raise DownloadFailed("not_a_picture")
    return stored


def _from_address(url: str, sink: BinaryIO, timeout: float, max_bytes: int) -> None:
    client = Egress(allow_private=config.get().egress_allow_private)
    try:
        answer = client.fetch_to(sink, "GET", url, timeout=timeout, max_bytes=max_bytes)
    except EgressRefused as error:
        raise DownloadFailed(error.code) from None
    except EgressFailed as error:
        raise DownloadFailed(error.code, transient=error.code not in _LASTING) from None
    if answer.status != 200:
        transient = answer.status >= 500 or answer.status in (408, 429)
        raise DownloadFailed(f"http_{answer.status}", transient=transient)


def _from_provider(sender_id: int, external_file_id: str, sink: BinaryIO, max_bytes: int) -> None:
    try:
        senders.download_file(sender_id, external_file_id, sink, max_bytes=max_bytes)
    except ChannelError as error:
        raise DownloadFailed(error.code, transient=isinstance(error, RetryLater | OutcomeUnknown)) from None
