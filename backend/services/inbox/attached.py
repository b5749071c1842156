"""Files of the workspace as parts of an answer, in the kinds that a channel takes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sqlalchemy import select

from backend.channels.base import Media, MediaKind
from backend.channels.spec import ChannelSpec
from backend.core.database import db
from backend.core.errors import Conflict, Invalid, NotFound, TooLarge
from backend.models import StoredFile
from backend.services import files

MAX_FILES: Final = 10
_VOICE: Final = frozenset({"audio/ogg", "audio/opus"})


def load(file_ids: Sequence[int]) -> list[StoredFile]:
    """These files of the workspace in scope, in their order. Raises NotFound (file_not_found), Invalid (too_many_files,
    file_twice)."""
    if len(file_ids) > MAX_FILES:
        raise Invalid.of("file_ids", "too_many_files", f"A message has at most {MAX_FILES} files.")
    if len(set(file_ids)) != len(file_ids):
        raise Invalid.of("file_ids", "file_twice", "A file is named twice.")
    by_id = {row.id: row for row in db.session.scalars(select(StoredFile).where(StoredFile.id.in_(file_ids)))}
    if len(by_id) != len(file_ids):
        raise NotFound("file_not_found", "There is no such file.")
    return [by_id[file_id] for file_id in file_ids]


def media_of(file: StoredFile, spec: ChannelSpec) -> Media:
    """The file as the channel carries it: as what it is, as a document where the channel does not take that kind.

    Raises Conflict (not_supported), TooLarge (file_too_large) naming the channel's limit.
    """
    taken = spec.sizes.media_bytes
    wanted = _kind_of(file)
    kind = next((it for it in (wanted, "audio" if wanted == "voice" else "document", "document") if it in taken), None)
    if kind is None:
        raise Conflict("not_supported", "This channel takes no files of this kind.", detail={"what": wanted})
    if file.size > taken[kind] and kind != "document" and file.size <= taken.get("document", 0):
        kind = "document"
    if file.size > taken[kind]:
        limit = taken[kind]
        message = f"This channel takes such files up to {limit:,} bytes."
        raise TooLarge("file_too_large", message, detail={"file_id": file.id, "limit": limit})
    return Media(kind=kind, storage_key=file.key, filename=file.filename, mime=file.mime, size=file.size)


def _kind_of(file: StoredFile) -> MediaKind:
    if file.mime in files.PHOTO_TYPES and file.mime != "image/gif":
        return "photo"
    if file.mime.startswith("video/"):
        return "video"
    if file.mime in _VOICE:
        return "voice"
    return "audio" if file.mime.startswith("audio/") else "document"
