"""Files people send and receive, behind one interface.

A stored file is found by its key alone. Keys are random, say nothing about the file, and are made here; names
given by people never become paths. What a file is, is read from its first bytes, not from what it claims.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import secrets
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final, Protocol
from urllib.parse import unquote, urlsplit

import filetype  # type: ignore[import-untyped]

from backend.core.errors import AppError, NotFound, StorageFull, TooLarge, Unavailable, UnsupportedMedia

_CHUNK: Final = 256 * 1024
_SNIFFED_BYTES: Final = 8192
_UNFINISHED: Final = "unfinished"
_PREFIX = re.compile(r"[a-z0-9][a-z0-9-]{0,39}(/[a-z0-9][a-z0-9-]{0,39}){0,3}")
_KEY = re.compile(rf"{_PREFIX.pattern}/[0-9a-f]{{2}}/[0-9a-f]{{32}}")
_NEVER_IN_TEXT: Final = bytes(set(range(0x20)) - set(b"\t\n\f\r\x1b"))


_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_EXHAUSTED: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM})
_UNUSABLE: Final = frozenset(
    {errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO, errno.ENOTDIR, errno.ESTALE, errno.ENODEV, errno.ENXIO,
     errno.ENOENT}
)  # fmt: skip


class MediaUrlError(ValueError):
    """`MEDIA_URL` cannot be used; the text names it."""


@dataclass(frozen=True)
class StoredFile:
    """A file as it was stored: `size` in bytes, `sha256` in lower-case hex, `mime` from its content."""

    key: str
    size: int
    sha256: str
    mime: str


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
        """The file for reading from its start; the caller closes it. Raises `NotFound`, and `Unavailable` where it
        cannot be read at the moment."""

    def exists(self, key: str) -> bool:
        """Whether the file is there; False for anything that is no key."""

    def delete(self, key: str) -> None:
        """Removes the file; doing so again is harmless."""


class FolderStorage:
    """Files in one folder of this machine, readable by its user alone."""

    def __init__(self, root: Path | str) -> None:
        """Makes the folder when it is first written to."""
        self.root = Path(root).absolute()

    def __repr__(self) -> str:
        return f"FolderStorage({str(self.root)!r})"

    def put(
        self, stream: BinaryIO, *, max_bytes: int, prefix: str, accept: Collection[str] | None = None
    ) -> StoredFile:
        """See `Storage.put`. A crash leaves at most a file in `unfinished`, never half a file under a key."""
        if not _PREFIX.fullmatch(prefix) or prefix.split("/")[0] == _UNFINISHED:
            raise ValueError(f"{prefix!r} is not a prefix: lower-case words with hyphens, parted by slashes.")
        name = secrets.token_hex(16)
        key = f"{prefix}/{name[:2]}/{name}"
        unfinished = self.root / _UNFINISHED / name
        try:
            unfinished.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            size, digest, mime = _receive(stream, unfinished, max_bytes, accept)
            target = self._locate(key)
            target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            unfinished.replace(target)
            # The names, too, have to survive a power cut; a new folder's name stands in the one above it.
            for folder in (target.parent, target.parent.parent):
                _sync_folder(folder)
        except BaseException as error:
            with suppress(OSError):
                unfinished.unlink(missing_ok=True)
            if isinstance(error, OSError) and (is_machine_fault(error) or error.errno in _UNUSABLE):
                raise storage_fault(error) from None
            raise
        return StoredFile(key=key, size=size, sha256=digest, mime=mime)

    def path(self, key: str) -> Path:
        """Where the file lies, for servers that send files by path. Raises `NotFound`."""
        if not self.exists(key):
            raise _missing()
        return self._locate(key)

    def open(self, key: str) -> BinaryIO:
        """See `Storage.open`."""
        try:
            return self._locate(key).open("rb")
        except FileNotFoundError:
            raise _missing() from None
        except OSError as error:
            raise storage_fault(error) from None

    def exists(self, key: str) -> bool:
        """See `Storage.exists`."""
        return bool(_KEY.fullmatch(key)) and self._locate(key).is_file()

    def delete(self, key: str) -> None:
        """See `Storage.delete`."""
        with suppress(NotFound):
            self._locate(key).unlink(missing_ok=True)

    def remove_unfinished(self, older_than: float) -> int:
        """Removes half-written files last touched before `older_than` (unix seconds); returns how many."""
        removed = 0
        folder = self.root / _UNFINISHED
        for leftover in folder.iterdir() if folder.is_dir() else ():
            if leftover.stat().st_mtime < older_than:
                leftover.unlink(missing_ok=True)
                removed += 1
        return removed

    def _locate(self, key: str) -> Path:
        # The pattern has no dots, so that a key cannot leave the folder.
        if not _KEY.fullmatch(key):
            raise _missing()
        return self.root / key


def from_url(media_url: str, base: Path | None = None) -> FolderStorage:
    """The storage that `MEDIA_URL` names: `file:///…`, or the path of a folder, relative to `base`.

    Raises `MediaUrlError` for anything else.
    """
    if not media_url.strip():
        raise MediaUrlError("MEDIA_URL is empty: it needs a folder, as a path or as file:///path.")
    parts = urlsplit(media_url)
    if parts.scheme == "file":
        if parts.netloc not in ("", "localhost") or not parts.path.startswith("/") or parts.path == "/":
            raise MediaUrlError("MEDIA_URL: a file address needs an absolute path, as in file:///srv/media.")
        return FolderStorage(unquote(parts.path))
    if "://" in media_url:
        raise MediaUrlError(f"MEDIA_URL: {parts.scheme}:// is not supported; use file:///path or a path.")
    return FolderStorage((base or Path.cwd()) / Path(media_url).expanduser())


def sniff(head: bytes) -> str:
    """The media type that the first bytes of a file show: a known signature, `text/plain`, or unknown."""
    kind = filetype.guess(head)
    if kind is not None:
        return str(kind.mime)
    return "text/plain" if head and _is_text(head) else "application/octet-stream"


def _is_text(head: bytes) -> bool:
    if head.translate(None, _NEVER_IN_TEXT) != head:
        return False
    try:
        head.decode("utf-8")
    except UnicodeDecodeError as error:
        # Where the head was cut out of a longer file, the cut may fall inside its last character.
        return len(head) >= _SNIFFED_BYTES and error.reason == "unexpected end of data"
    return True


def _receive(stream: BinaryIO, path: Path, max_bytes: int, accept: Collection[str] | None) -> tuple[int, str, str]:
    digest = hashlib.sha256()
    size = 0
    mime = ""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        chunk = _read_head(stream)
        mime = sniff(chunk)
        if accept is not None and not _accepted(mime, accept):
            raise UnsupportedMedia(message=f"Files of type {mime} are not accepted here.")
        while chunk:
            size += len(chunk)
            if size > max_bytes:
                raise TooLarge("file_too_large", f"A file may have at most {max_bytes:,} bytes here.")
            digest.update(chunk)
            file.write(chunk)
            # One byte more than is allowed tells that there is more.
            chunk = stream.read(min(_CHUNK, max_bytes - size + 1))
        file.flush()
        os.fsync(file.fileno())
    return size, digest.hexdigest(), mime


def _read_head(stream: BinaryIO) -> bytes:
    # A network stream may hand out a few bytes at a time; a signature needs its first ones together.
    head = b""
    while len(head) < _SNIFFED_BYTES:
        piece = stream.read(_SNIFFED_BYTES - len(head))
        if not piece:
            break
        head += piece
    return head


def _accepted(mime: str, accept: Collection[str]) -> bool:
    return mime in accept or f"{mime.split('/')[0]}/*" in accept or "*/*" in accept


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def is_machine_fault(error: OSError) -> bool:
    """Whether the machine has no room or no handles left, whatever it was asked for."""
    return error.errno in _FULL | _EXHAUSTED


def storage_fault(error: OSError) -> AppError:
    """The error for a folder that takes nothing more, or cannot be used at the moment."""
    if error.errno in _FULL:
        return StorageFull()
    return Unavailable("storage_unavailable", "Files cannot be stored at the moment.", retry_after=30)


def _missing() -> AppError:
    return NotFound("file_not_found", "There is no such file.")
