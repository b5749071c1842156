"""Files that were sent: by upload, by file_id, or by an address that is fetched as Telegram would."""

from __future__ import annotations

import mimetypes
import re
import struct
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from simulator.errors import ApiError, bad_request
from simulator.model import JSON, StoredFile
from simulator.parameters import Call, Upload
from simulator.world import World

MEGABYTE = 1024 * 1024
MAX_UPLOAD = 50 * MEGABYTE
MAX_DOWNLOAD = 20 * MEGABYTE
MAX_PHOTO = 10 * MEGABYTE
MAX_PHOTO_BY_URL = 5 * MEGABYTE
MAX_PIXELS = 10_000
FETCH_SECONDS = 10
THUMBNAIL = 90
BYTES = "application/octet-stream"
PREFIX = {"photo": "AgACAgI", "document": "BQACAgI"}


class FileStore:
    """Keeps files in memory and makes the objects that messages carry."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.session: aiohttp.ClientSession | None = None

    def store(self, upload: Upload, kind: str) -> StoredFile:
        """Keep a file. Raises ApiError 400 for a picture that is none, or too large."""
        width = height = 0
        if not upload.data:
            raise bad_request("file must be non-empty")
        if kind == "photo":
            if len(upload.data) > MAX_PHOTO:
                raise bad_request(f"file of size {len(upload.data)} bytes is too big for a photo")
            size = image_size(upload.data)
            if size is None:
                raise bad_request("IMAGE_PROCESS_FAILED")
            width, height = size
            if width + height > MAX_PIXELS or max(width, height) > 20 * min(width, height):
                raise bad_request("PHOTO_INVALID_DIMENSIONS")
        token = self._token(kind)
        given = re.fullmatch(r".*\.([A-Za-z0-9]{1,8})", upload.name, re.DOTALL)
        extension = given[1] if given else ("jpg" if kind == "photo" else "bin")
        folder = "photos" if kind == "photo" else "documents"
        stored = StoredFile(
            file_id=PREFIX[kind] + token,
            unique_id="AQAD" + token[:11],
            name=upload.name,
            mime_type=_mime_type(upload),
            data=upload.data,
            path=f"{folder}/file_{self._number()}.{extension}",
            kind=kind,
            width=width,
            height=height,
        )
        self.world.files[stored.file_id] = stored
        return stored

    def _token(self, kind: str) -> str:
        """What makes a file_id; a free one, as a seed gives the same numbers again over a saved world."""
        while True:
            token = f"{self.world.random.getrandbits(160):040x}"
            if PREFIX[kind] + token not in self.world.files:
                return token

    def _number(self) -> int:
        """The number in the next path: above the newest file's, however many were not saved with the world."""
        newest = next(reversed(self.world.files.values()), None)
        match = re.search(r"/file_([0-9]+)", newest.path) if newest is not None else None
        return int(match[1]) + 1 if match else 1

    def at_path(self, path: str) -> StoredFile | None:
        """The file that getFile gave this path for."""
        return next((stored for stored in self.world.files.values() if stored.path == path), None)

    def resolve(self, call: Call, value: Any, field: str, kind: str) -> StoredFile:
        """The file that a parameter means: an upload of that field or attach://name, an address, or a
        file_id. Raises ApiError.
        """
        if field in call.files:
            return self.store(call.files[field], kind)
        if not isinstance(value, str) or not value:
            raise bad_request(f"there is no {kind} in the request")
        if value.startswith("attach://"):
            upload = call.files.get(value[9:])
            if upload is None:
                raise bad_request(f"wrong file identifier/HTTP URL specified: there is no file {value[9:]}")
            return self.store(upload, kind)
        if value in call.fetched:
            fetched = call.fetched[value]
            if isinstance(fetched, ApiError):
                raise fetched
            if kind == "photo" and image_size(fetched.data) is None:
                raise bad_request("wrong type of the web page content")
            return self.store(fetched, kind)
        stored = self.world.files.get(value)
        if stored is None:
            raise bad_request("wrong file identifier/HTTP URL specified")
        if stored.kind != kind:
            raise bad_request(f"can't use file of type {stored.kind.title()} as {kind.title()}")
        return stored

    async def fetch(self, call: Call, addresses: list[tuple[str, str]]) -> None:
        """Load the (address, kind) pairs that a call names into `call.fetched`; failures wait there as the
        error to raise.
        """
        for address, kind in addresses:
            if address.startswith(("http://", "https://")) and address not in call.fetched:
                call.fetched[address] = await self._download(address, kind)

    async def _download(self, address: str, kind: str) -> Upload | ApiError:
        assert self.session is not None
        most = MAX_PHOTO_BY_URL if kind == "photo" else MAX_DOWNLOAD
        timeout = aiohttp.ClientTimeout(total=FETCH_SECONDS)
        try:
            async with self.session.get(address, timeout=timeout) as response:
                if response.status != 200:
                    return bad_request("failed to get HTTP URL content")
                data = bytearray()
                async for chunk in response.content.iter_chunked(65_536):
                    data += chunk
                    if len(data) > most:
                        return bad_request("failed to get HTTP URL content")
                mime_type = response.content_type
        except (aiohttp.ClientError, TimeoutError, ValueError):
            return bad_request("failed to get HTTP URL content")
        name = urlsplit(address).path.rpartition("/")[2] or "file"
        return Upload(name, mime_type, bytes(data))

    def photo(self, stored: StoredFile) -> JSON:
        """`{"photo": [PhotoSize…]}`: a thumbnail and the whole picture."""
        scale = min(1.0, THUMBNAIL / max(stored.width, stored.height, 1))
        sizes = []
        if scale < 1:
            small = stored.file_id[:-1] + "s"
            self.world.files[small] = stored
            sizes.append(_size(small, stored, max(1, int(stored.width * scale)), max(1, int(stored.height * scale))))
        sizes.append(_size(stored.file_id, stored, stored.width, stored.height))
        return {"photo": sizes}

    def document(self, stored: StoredFile) -> JSON:
        """`{"document": Document}`."""
        return {
            "document": {
                "file_name": stored.name,
                "mime_type": stored.mime_type,
                "file_id": stored.file_id,
                "file_unique_id": stored.unique_id,
                "file_size": len(stored.data),
            }
        }


def _mime_type(upload: Upload) -> str:
    """As sent; where only bytes were promised, what the name says."""
    if upload.mime_type not in ("", BYTES):
        return upload.mime_type
    return mimetypes.guess_type(upload.name)[0] or BYTES


def _size(file_id: str, stored: StoredFile, width: int, height: int) -> JSON:
    return {
        "file_id": file_id,
        "file_unique_id": stored.unique_id + ("s" if file_id != stored.file_id else ""),
        "file_size": len(stored.data),
        "width": width,
        "height": height,
    }


def image_size(data: bytes) -> tuple[int, int] | None:
    """Width and height of a PNG, JPEG, GIF or WebP; None for anything else."""
    if data[:8] == b"\x89PNG\r\n\x1a\n" and len(data) >= 24:
        width, height = struct.unpack(">II", data[16:24])
    elif data[:6] in (b"GIF87a", b"GIF89a") and len(data) >= 10:
        width, height = struct.unpack("<HH", data[6:10])
    elif data[:4] == b"RIFF" and data[8:12] == b"WEBP" and len(data) >= 30:
        width, height = _webp(data)
    elif data[:2] == b"\xff\xd8":
        width, height = _jpeg(data)
    else:
        return None
    return (width, height) if width and height else None


def _webp(data: bytes) -> tuple[int, int]:
    if data[12:16] == b"VP8X":
        return int.from_bytes(data[24:27], "little") + 1, int.from_bytes(data[27:30], "little") + 1
    if data[12:16] == b"VP8L":
        bits = int.from_bytes(data[21:25], "little")
        return (bits & 0x3FFF) + 1, ((bits >> 14) & 0x3FFF) + 1
    return int.from_bytes(data[26:28], "little") & 0x3FFF, int.from_bytes(data[28:30], "little") & 0x3FFF


def _jpeg(data: bytes) -> tuple[int, int]:
    position = 2
    while position + 9 < len(data) and data[position] == 0xFF:
        marker = data[position + 1]
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack(">HH", data[position + 5 : position + 9])
            return width, height
        if marker == 0xFF:
            position += 1
        else:
            position += 2 + int.from_bytes(data[position + 2 : position + 4], "big")
    return 0, 0
