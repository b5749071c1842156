"""What a file is, how large it may be, and what it is called in a storage: the same for every storage.

Keys are random, say nothing about the file, and are made here; names given by people never become paths. What a file
is, is read from its first bytes, not from what it claims.
"""

from __future__ import annotations

import errno
import hashlib
import re
import secrets
from collections.abc import Collection
from dataclasses import dataclass
from typing import BinaryIO, Final

import filetype  # type: ignore[import-untyped]

from backend.core.errors import AppError, NotFound, StorageFull, TooLarge, Unavailable, UnsupportedMedia

UNFINISHED: Final = "unfinished"
_CHUNK: Final = 256 * 1024
_SNIFFED_BYTES: Final = 8192
_PREFIX = re.compile(r"[a-z0-9][a-z0-9-]{0,39}(/[a-z0-9][a-z0-9-]{0,39}){0,3}")
_KEY = re.compile(rf"{_PREFIX.pattern}/[0-9a-f]{{2}}/[0-9a-f]{{32}}")
_NEVER_IN_TEXT: Final = bytes(set(range(0x20)) - set(b"\t\n\f\r\x1b"))
_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_EXHAUSTED: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM})


@dataclass(frozen=True)
class StoredFile:
    """A file as it was stored: `size` in bytes, `sha256` in lower-case hex, `mime` from its content."""

    key: str
    size: int
    sha256: str
    mime: str


def new_key(prefix: str) -> str:
    """A random key below a prefix. Raises ValueError for what is no prefix."""
    if not _PREFIX.fullmatch(prefix) or prefix.split("/")[0] == UNFINISHED:
        raise ValueError(f"{prefix!r} is not a prefix: lower-case words with hyphens, parted by slashes.")
    name = secrets.token_hex(16)
    return f"{prefix}/{name[:2]}/{name}"


def is_key(key: str) -> bool:
    """Whether this is a key as `new_key` makes them: it has no dots, and cannot leave its folder."""
    return bool(_KEY.fullmatch(key))


def copy(
    stream: BinaryIO, file: BinaryIO, key: str, max_bytes: int, accept: Collection[str] | None = None
) -> StoredFile:
    """Writes what `stream` still holds into `file`, piece by piece, and says what it is.

    Raises TooLarge as soon as more than `max_bytes` were read, and UnsupportedMedia for what `accept` does not name.
    """
    digest = hashlib.sha256()
    size = 0
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
    return StoredFile(key=key, size=size, sha256=digest.hexdigest(), mime=mime)


def sniff(head: bytes) -> str:
    """The media type that the first bytes of a file show: a known signature, `text/plain`, or unknown."""
    kind = filetype.guess(head)
    if kind is not None:
        return str(kind.mime)
    return "text/plain" if head and _is_text(head) else "application/octet-stream"


def is_machine_fault(error: OSError) -> bool:
    """Whether the machine has no room or no handles left, whatever it was asked for."""
    return error.errno in _FULL | _EXHAUSTED


def storage_fault(error: OSError) -> AppError:
    """The error for a storage that takes nothing more, or cannot be used at the moment."""
    return StorageFull() if error.errno in _FULL else unavailable()


def unavailable() -> AppError:
    """The error for a storage that cannot be used at the moment."""
    return Unavailable("storage_unavailable", "Files cannot be stored at the moment.", retry_after=30)


def missing() -> AppError:
    """The error for a key without a file."""
    return NotFound("file_not_found", "There is no such file.")


def _is_text(head: bytes) -> bool:
    if head.translate(None, _NEVER_IN_TEXT) != head:
        return False
    try:
        head.decode("utf-8")
    except UnicodeDecodeError as error:
        # Where the head was cut out of a longer file, the cut may fall inside its last character.
        return len(head) >= _SNIFFED_BYTES and error.reason == "unexpected end of data"
    return True


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
