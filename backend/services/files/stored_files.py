"""Files of a workspace: what people upload, and what was fetched to be attached to a message."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection
from functools import cache
from pathlib import PurePosixPath
from typing import BinaryIO, Final

from sqlalchemy import func, select

from backend.channels.base import Media, MediaKind
from backend.core import clock, config, storage
from backend.core.database import current_workspace_id, db
from backend.core.errors import Invalid, NotFound, TooLarge
from backend.models import StoredFile
from backend.services import caps
from backend.services.auth import audit
from backend.services.auth.attribution import Attribution

MAX_DOCUMENT: Final = 50 * 1024 * 1024
MAX_PHOTO: Final = 10 * 1024 * 1024
"""What Telegram takes: 50 MB as a document, 10 MB as a photo."""
PHOTO_TYPES: Final = frozenset({"image/jpeg", "image/png", "image/webp", "image/gif", "image/bmp"})
_MAX_NAME: Final = 120
_NOT_IN_NAMES: Final = re.compile(r'[\x00-\x1f\x7f/\\:*?"<>|\u202a-\u202e\u2066-\u2069]')


def upload(by: Attribution, filename: str | None, stream: BinaryIO) -> StoredFile:
    """Stores an uploaded file of the workspace in scope.

    Raises TooLarge over 50 MB, Invalid for an empty one, and Conflict (`too_many_file_bytes`) where the workspace's
    files, those that were fetched included, have reached their cap.
    """
    caps.require_room("file_bytes", select(func.sum(StoredFile.size)).select_from(StoredFile))
    file = keep(filename, stream, max_bytes=MAX_DOCUMENT, user_id=by.user_id)
    audit.record(by, "file.uploaded", f"file:{file.id}", size=file.size, mime=file.mime)
    return file


def keep(filename: str | None, stream: BinaryIO, *, max_bytes: int, user_id: int | None = None) -> StoredFile:
    """Puts the stream into the storage and its row into the caller's transaction; see `upload` for what it raises.

    A transaction that is rolled back leaves a file nobody points to, never a row without a file.
    """
    stored = put(stream, max_bytes=max_bytes)
    return record(filename, stored, user_id=user_id)


def put(stream: BinaryIO, *, max_bytes: int) -> storage.StoredFile:
    """The storing alone, without a row: for where no transaction may be open. Raises TooLarge, and Invalid if empty."""
    stored = storage_of_instance().put(stream, max_bytes=max_bytes, prefix=f"workspace-{current_workspace_id()}/files")
    if stored.size == 0:
        storage_of_instance().delete(stored.key)
        raise Invalid.of("file", "file_empty", "The file is empty.")
    return stored


def record(filename: str | None, stored: storage.StoredFile, *, user_id: int | None = None) -> StoredFile:
    """The row of a file that was put into the storage."""
    file = StoredFile(
        key=stored.key,
        filename=safe_name(filename),
        mime=stored.mime,
        size=stored.size,
        sha256=stored.sha256,
        user_id=user_id,
        created_at=clock.now(),
    )
    db.session.add(file)
    db.session.flush()
    return file


def get(file_id: int) -> StoredFile:
    """A file of the workspace in scope. Raises NotFound."""
    file = db.session.get(StoredFile, file_id)
    if file is None:
        raise NotFound("file_not_found", "There is no such file.")
    return file


def names_of(file_ids: Collection[int]) -> dict[int, str]:
    """The names of these files of the workspace by their ids; those that are gone are left out."""
    query = select(StoredFile.id, StoredFile.filename).where(StoredFile.id.in_(file_ids))
    return {row.id: row.filename for row in db.session.execute(query)}


def open_file(file: StoredFile) -> BinaryIO:
    """The file's content from its start; the caller closes it. Raises NotFound."""
    return storage_of_instance().open(file.key)


def discard(file_id: int) -> None:
    """Deletes the row of a file that nobody has any use for; within `FileFetched` its content goes with it."""
    db.session.delete(get(file_id))
    db.session.flush()


def storage_of_instance() -> storage.Storage:
    """The storage of this installation."""
    return _storage(config.get().media_url)


def max_bytes_of(kind: str) -> int:
    """How large a file of this kind (`photo`, `document`) may be, in bytes."""
    return MAX_PHOTO if kind == "photo" else MAX_DOCUMENT


def as_media(file: StoredFile, kind: MediaKind) -> Media:
    """The file as part of a message. Raises TooLarge or Invalid where it cannot be sent as that kind."""
    if kind == "photo" and file.mime not in PHOTO_TYPES:
        message = "The file is not a picture; attach it as a document."
        raise Invalid.of("attachment.kind", "not_a_picture", message)
    if file.size > max_bytes_of(kind):
        raise TooLarge("file_too_large", f"The file is too large to be sent as a {kind}.")
    return Media(kind=kind, storage_key=file.key, filename=file.filename, mime=file.mime, size=file.size)


def safe_name(filename: str | None) -> str:
    """The name without folders, control characters and what file systems refuse; "file" where nothing is left."""
    last = (filename or "").replace("\\", "/").rsplit("/", 1)[-1]
    clean = _NOT_IN_NAMES.sub("_", unicodedata.normalize("NFC", last)).strip(" .")
    if len(clean) > _MAX_NAME:
        ending = PurePosixPath(clean).suffix[:16]
        clean = clean[: _MAX_NAME - len(ending)].rstrip(" .") + ending
    return clean or "file"


@cache
def _storage(media_url: str) -> storage.Storage:
    return storage.from_url(media_url)
