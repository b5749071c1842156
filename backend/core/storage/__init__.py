"""Files people send and receive, behind one interface: in a folder, or in an S3-compatible store.

A stored file is found by its key alone.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import BinaryIO, Protocol
from urllib.parse import unquote, urlsplit

from backend.core.storage import s3
from backend.core.storage.content import StoredFile, is_machine_fault, sniff, storage_fault
from backend.core.storage.folder import FolderStorage
from backend.core.storage.s3 import S3Storage

__all__ = [
    "FolderStorage",
    "MediaUrlError",
    "S3Storage",
    "Storage",
    "StoredFile",
    "from_url",
    "is_machine_fault",
    "sniff",
    "storage_fault",
]


class MediaUrlError(ValueError):
    """`MEDIA_URL` cannot be used; the text names it."""


class Storage(Protocol):
    """Where files are kept. Every implementation passes the same contract test."""

    def put(
        self, stream: BinaryIO, *, max_bytes: int, prefix: str, accept: Collection[str] | None = None
    ) -> StoredFile:
        """Stores what `stream` still holds, durably, without ever holding all of it in memory.

        `prefix` groups files (`workspace-3/attachments`). `accept` lists the kinds taken, as `image/png` or
        `image/*`. Raises `TooLarge` as soon as more than `max_bytes` were read, `UnsupportedMedia`, `StorageFull`
        where there is no room and `Unavailable` where nothing can be written; nothing is left behind then.
        """

    def open(self, key: str) -> BinaryIO:
        """The file for reading from its start, seekable; the caller closes it. Raises `NotFound`, and `Unavailable`
        where it cannot be read at the moment."""

    def exists(self, key: str) -> bool:
        """Whether the file is there; False for anything that is no key."""

    def delete(self, key: str) -> None:
        """Removes the file; doing so again is harmless. Raises `Unavailable` where it cannot be at the moment."""

    def is_available(self) -> bool:
        """Whether files can be written now; may take some seconds, raises nothing."""


def from_url(media_url: str, base: Path | None = None) -> Storage:
    """The storage that `MEDIA_URL` names: `s3://bucket/…`, `file:///…`, or the path of a folder, relative to `base`.

    Nothing is asked or made yet. Raises `MediaUrlError` for anything else.
    """
    if not media_url.strip():
        raise MediaUrlError("MEDIA_URL is empty: it needs a folder, as a path or as file:///path.")
    parts = urlsplit(media_url)
    if parts.scheme == "s3":
        try:
            return S3Storage(s3.place_of(media_url))
        except ValueError as error:
            raise MediaUrlError(f"MEDIA_URL: {error}.") from None
    if parts.scheme == "file":
        if parts.netloc not in ("", "localhost") or not parts.path.startswith("/") or parts.path == "/":
            raise MediaUrlError("MEDIA_URL: a file address needs an absolute path, as in file:///srv/media.")
        return FolderStorage(unquote(parts.path))
    if "://" in media_url:
        raise MediaUrlError(f"MEDIA_URL: {parts.scheme}:// is not supported; use s3://bucket, file:///path or a path.")
    return FolderStorage((base or Path.cwd()) / Path(media_url).expanduser())
