"""upload.…: files in parts, and what a message's file is."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from telethon.tl import functions, types

from simulator.accounts.errors import Refusal
from simulator.accounts.model import Document
from simulator.files import image_size
from simulator.mtproto import views
from simulator.mtproto.methods.registry import method

if TYPE_CHECKING:
    from simulator.mtproto.calls import Call
    from simulator.mtproto.server import Server

MAX_PART = 512 * 1024
MAX_PARTS = 256
MAX_DOWNLOAD = 1 << 20

_uploads: WeakKeyDictionary[Server, dict[tuple[int, int], dict[int, bytes]]] = WeakKeyDictionary()


def _parts(call: Call, file_id: int) -> dict[int, bytes]:
    return _uploads.setdefault(call.server, {}).setdefault((call.me.id, file_id), {})


@method(functions.upload.SaveFilePartRequest, functions.upload.SaveBigFilePartRequest, frozen=False)
def save_part(call: Call, request: Any) -> Any:
    """Keep a part until the file is sent."""
    if not 0 <= request.file_part < MAX_PARTS:
        raise Refusal(400, "FILE_PART_INVALID")
    if not 0 < len(request.bytes) <= MAX_PART:
        raise Refusal(400, "FILE_PART_SIZE_INVALID")
    _parts(call, request.file_id)[request.file_part] = request.bytes
    return True


def document_of(call: Call, media: Any) -> int:
    """The number of the file that a message is sent with. Raises Refusal for one that is incomplete or unknown."""
    if isinstance(media, (types.InputMediaDocument, types.InputMediaPhoto)):
        stored = call.directory.documents.get(getattr(media.id, "id", 0))
        if stored is None:
            raise Refusal(400, "MEDIA_INVALID")
        return stored.id
    if isinstance(media, types.InputMediaUploadedPhoto):
        mime_type, attributes = "image/jpeg", []
    elif isinstance(media, types.InputMediaUploadedDocument):
        mime_type, attributes = media.mime_type, views.packed(media.attributes)
    else:
        raise Refusal(400, "MEDIA_INVALID")
    parts = _parts(call, media.file.id)
    if sorted(parts) != list(range(media.file.parts)) or not parts:
        raise Refusal(400, "FILE_PARTS_INVALID")
    data = b"".join(parts[number] for number in range(media.file.parts))
    stored = Document(0, media.file.name or "file.bin", mime_type, data, int(time.time()), attributes)
    if isinstance(media, types.InputMediaUploadedPhoto):
        size = image_size(data)
        if size is None:
            raise Refusal(400, "PHOTO_EXT_INVALID")
        stored.kind, (stored.width, stored.height) = "photo", size
    del _uploads[call.server][call.me.id, media.file.id]
    return call.directory.store(stored).id


@method(functions.upload.GetFileRequest)
def get_file(call: Call, request: Any) -> Any:
    """A piece of a file."""
    stored = call.directory.documents.get(getattr(request.location, "id", 0))
    if stored is None:
        raise Refusal(400, "LOCATION_INVALID")
    if request.location.file_reference.hex() != stored.reference:
        raise Refusal(400, "FILE_REFERENCE_EXPIRED")
    if not 0 < request.limit <= MAX_DOWNLOAD:
        raise Refusal(400, "LIMIT_INVALID")
    piece = stored.data[request.offset : request.offset + request.limit]
    return types.upload.File(types.storage.FileUnknown(), int(time.time()), piece)
