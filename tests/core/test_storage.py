"""Stored files: bounded while they arrive, sniffed, whole or absent, and never outside their folder."""

from __future__ import annotations

import errno
import hashlib
import io
import os
import random
import stat
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, cast

import pytest

from backend.core.errors import AppError, NotFound, StorageFull, TooLarge, Unavailable, UnsupportedMedia
from backend.core.storage import FolderStorage, MediaUrlError, Storage, from_url, sniff
from tests.support.object_store import ObjectStore


def _png() -> bytes:
    def piece(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)
    pixels = zlib.compress(b"\x00\x00")
    return b"\x89PNG\r\n\x1a\n" + piece(b"IHDR", header) + piece(b"IDAT", pixels) + piece(b"IEND", b"")


PNG = _png()
PDF = b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n"
JPEG = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00" + b"\x00" * 40


class Dripping:
    """A stream that gives one byte at a time and counts how many were taken."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.taken = 0

    def read(self, size: int = -1) -> bytes:
        piece = self.data[self.taken : self.taken + 1] if size else b""
        self.taken += len(piece)
        return piece


class Endless:
    """A stream without an end that counts how much was taken."""

    def __init__(self) -> None:
        self.taken = 0

    def read(self, size: int = -1) -> bytes:
        assert size > 0, "an unbounded read would never return"
        self.taken += size
        return b"x" * size


class Breaking:
    """A stream that breaks off with an error."""

    def read(self, size: int = -1) -> bytes:
        raise ConnectionResetError("gone")


@pytest.fixture
def folder(tmp_path: Path) -> FolderStorage:
    return FolderStorage(tmp_path / "media")


@pytest.fixture(scope="module")
def store() -> Iterator[ObjectStore]:
    """An S3-compatible server."""
    made = ObjectStore()
    yield made
    made.stop()


@pytest.fixture(params=["folder", "s3"])
def storage(request: pytest.FixtureRequest) -> Storage:
    """Every implementation, empty; all pass the tests that take this."""
    if request.param == "folder":
        folder: FolderStorage = request.getfixturevalue("folder")
        return folder
    server: ObjectStore = request.getfixturevalue("store")
    server.empty()
    return server.storage


def put(storage: Storage, data: bytes, max_bytes: int = 10_000_000) -> str:
    return storage.put(io.BytesIO(data), max_bytes=max_bytes, prefix="attachments").key


def files(folder: FolderStorage) -> list[Path]:
    return [path for path in folder.root.rglob("*") if path.is_file()]


def kept(storage: Storage, request: pytest.FixtureRequest) -> list[str]:
    """What the storage holds, half files included."""
    if isinstance(storage, FolderStorage):
        return [str(path) for path in files(storage)]
    server: ObjectStore = request.getfixturevalue("store")
    return server.names()


@pytest.mark.parametrize(
    ("data", "mime"),
    [
        (PNG, "image/png"),
        (PDF, "application/pdf"),
        (JPEG, "image/jpeg"),
        ("안녕하세요 ✅\n".encode() * 2000, "text/plain"),
        (b"<html><script>alert(1)</script>", "text/plain"),
        (b"\x00\x01\x02" * 10, "application/octet-stream"),
        (b"", "application/octet-stream"),
        (b"caf\xe9", "application/octet-stream"),
        (b"\x00" + random.Random(1).randbytes(3_000_000), "application/octet-stream"),
    ],
)
def test_what_is_stored_comes_back_unchanged(storage: Storage, data: bytes, mime: str) -> None:
    stored = storage.put(io.BytesIO(data), max_bytes=10_000_000, prefix="workspace-3/attachments")
    assert stored.size == len(data)
    assert stored.sha256 == hashlib.sha256(data).hexdigest()
    assert stored.mime == mime
    assert stored.key.startswith("workspace-3/attachments/")
    assert storage.exists(stored.key)
    with storage.open(stored.key) as file:
        assert file.read() == data


def test_a_stream_that_drips_is_sniffed_all_the_same(storage: Storage) -> None:
    stream = cast(BinaryIO, Dripping(PNG))
    stored = storage.put(stream, max_bytes=len(PNG), prefix="attachments")
    assert (stored.mime, stored.size) == ("image/png", len(PNG))


def test_reading_starts_where_the_stream_stands(storage: Storage) -> None:
    stream = io.BytesIO(b"skipped" + PNG)
    stream.seek(7)
    assert storage.put(stream, max_bytes=1000, prefix="attachments").mime == "image/png"


@pytest.mark.parametrize("size", [0, 1, 8191, 8192, 8193, 262_144, 300_000])
def test_a_file_of_exactly_the_limit_is_taken_and_a_byte_more_is_not(
    storage: Storage, request: pytest.FixtureRequest, size: int
) -> None:
    assert storage.exists(put(storage, b"x" * size, max_bytes=size))
    with pytest.raises(TooLarge):
        put(storage, b"x" * (size + 1), max_bytes=size)
    assert len(kept(storage, request)) == 1


def test_an_endless_stream_is_left_as_soon_as_it_is_too_long(storage: Storage, request: pytest.FixtureRequest) -> None:
    stream = Endless()
    with pytest.raises(TooLarge):
        storage.put(cast(BinaryIO, stream), max_bytes=1_000_000, prefix="attachments")
    assert stream.taken <= 1_000_001
    assert kept(storage, request) == []


def test_a_stream_that_breaks_off_leaves_nothing(storage: Storage, request: pytest.FixtureRequest) -> None:
    with pytest.raises(ConnectionResetError):
        storage.put(cast(BinaryIO, Breaking()), max_bytes=1000, prefix="attachments")
    assert kept(storage, request) == []


@pytest.mark.parametrize(
    ("data", "accept", "taken"),
    [
        (PNG, {"image/*"}, True),
        (PNG, {"image/png"}, True),
        (PNG, {"image/jpeg", "application/pdf"}, False),
        (PDF, {"image/*"}, False),
        (b"plain", {"text/plain"}, True),
        (b"<svg onload=alert(1)>", {"image/*"}, False),
        (PNG, set(), False),
        (b"\x00\x01", {"*/*"}, True),
    ],
)
def test_only_accepted_kinds_are_stored(
    storage: Storage, request: pytest.FixtureRequest, data: bytes, accept: set[str], taken: bool
) -> None:
    stream = io.BytesIO(data)
    if taken:
        assert storage.exists(storage.put(stream, max_bytes=10_000, prefix="a", accept=accept).key)
    else:
        with pytest.raises(UnsupportedMedia):
            storage.put(stream, max_bytes=10_000, prefix="a", accept=accept)
        assert kept(storage, request) == []


def test_equal_files_have_different_keys_and_keys_cannot_be_guessed(storage: Storage) -> None:
    keys = {put(storage, b"same") for _ in range(20)}
    assert len(keys) == 20
    assert all(len(key.rsplit("/", 1)[1]) == 32 for key in keys)


def test_deleting_twice_is_harmless(storage: Storage) -> None:
    key = put(storage, b"x")
    storage.delete(key)
    storage.delete(key)
    assert not storage.exists(key)
    with pytest.raises(NotFound) as caught:
        storage.open(key)
    assert caught.value.code == "file_not_found"


NOT_KEYS = [
    "",
    "..",
    "/etc/passwd",
    "../secret.txt",
    "attachments/../../secret.txt",
    "attachments/aa/..",
    "attachments/aa/" + "a" * 31,
    "attachments/aa/" + "A" * 32,
    "attachments/aa/" + "a" * 32 + "\n",
    "attachments/aa/" + "a" * 32 + "/..",
    "attachments\\aa\\" + "a" * 32,
    "attachments/aa/" + "a" * 32 + "\x00",
    "unfinished/" + "a" * 32,
    "%2e%2e/secret.txt",
]


@pytest.mark.parametrize("key", NOT_KEYS)
def test_what_is_no_key_is_no_file(storage: Storage, key: str) -> None:
    assert not storage.exists(key)
    with pytest.raises(NotFound):
        storage.open(key)
    storage.delete(key)


@pytest.mark.parametrize("key", NOT_KEYS)
def test_nothing_but_a_key_reaches_a_file(folder: FolderStorage, key: str) -> None:
    put(folder, b"x")
    secret = folder.root.parent / "secret.txt"
    secret.write_text("secret")
    assert not folder.exists(key)
    with pytest.raises(NotFound):
        folder.open(key)
    with pytest.raises(NotFound):
        folder.path(key)
    folder.delete(key)
    assert secret.read_text() == "secret"


@pytest.mark.parametrize(
    "prefix", ["", "..", "../x", "/x", "x/", "X", "a b", "a/../b", "unfinished", "a\n", "a.b", "a/b/c/d/e"]
)
def test_a_prefix_is_words_only(storage: Storage, prefix: str) -> None:
    with pytest.raises(ValueError, match="prefix"):
        storage.put(io.BytesIO(b"x"), max_bytes=10, prefix=prefix)


def test_the_path_is_the_file_and_only_its_owner_reads_it(folder: FolderStorage) -> None:
    key = put(folder, PNG)
    path = folder.path(key)
    assert path.read_bytes() == PNG
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with pytest.raises(NotFound):
        folder.path("attachments/aa/" + "a" * 32)


def test_what_a_crash_left_half_written_is_removed_once_it_is_old(folder: FolderStorage) -> None:
    assert folder.remove_unfinished(older_than=2e9) == 0
    key = put(folder, b"whole")
    left, fresh = folder.root / "unfinished" / "left", folder.root / "unfinished" / "fresh"
    for path, touched in ((left, 1_000.0), (fresh, 3_000.0)):
        path.write_bytes(b"half")
        os.utime(path, (touched, touched))
    assert folder.remove_unfinished(older_than=2_000.0) == 1
    assert not left.exists()
    assert fresh.exists()
    assert folder.exists(key)


def root_of(setting: str, base: Path | None = None) -> Path:
    made = from_url(setting, base)
    assert isinstance(made, FolderStorage)
    return made.root


@pytest.mark.parametrize("setting", ["file:///srv/my%20media", "file://localhost/srv/my%20media", "/srv/my media"])
def test_media_url_names_a_folder(setting: str) -> None:
    assert root_of(setting) == Path("/srv/my media")


def test_a_relative_media_url_starts_at_the_base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert root_of("var/media", tmp_path) == tmp_path / "var/media"
    monkeypatch.chdir(tmp_path)
    assert root_of("var/media") == tmp_path / "var/media"


@pytest.mark.parametrize(
    "setting",
    [
        "",
        "  ",
        "https://example.com/x",
        "file://host/x",
        "file:",
        "file:///",
        "s3://",
        "s3://hunter2@bucket/x",
        "s3://key:hunter2@/x",
        "s3://key:hunter2@127.0.0.1:9000/bucket",
        "s3://key:hunter2@bucket/x?endpoint=example.org",
        "s3://key:hunter2@bucket/x?style=other",
        "s3://key:hunter2@bucket/x?tls=yes",
    ],
)
def test_any_other_media_url_is_refused_by_name_and_without_its_secrets(setting: str) -> None:
    with pytest.raises(MediaUrlError, match="MEDIA_URL") as caught:
        from_url(setting)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("character", ["é", "가", "😀"])
def test_a_long_text_cut_inside_a_character_is_still_text(character: str) -> None:
    whole = b"x" * 8191 + character.encode()
    assert sniff(whole[:8192]) == "text/plain"
    assert sniff(whole[1:8192]) == sniff(b"caf\xe9") == "application/octet-stream"


@pytest.mark.parametrize("broken", [b"abc\xff\xfe", b"\xe9abc", b"a\x00b", b"x" * 8191 + b"\xff"])
def test_what_is_not_utf8_or_has_control_characters_is_not_text(broken: bytes) -> None:
    assert sniff(broken) == "application/octet-stream"


@pytest.mark.parametrize(
    ("number", "kind", "code"),
    [
        (errno.ENOSPC, StorageFull, "storage_full"),
        (errno.EDQUOT, StorageFull, "storage_full"),
        (errno.EROFS, Unavailable, "storage_unavailable"),
        (errno.EMFILE, Unavailable, "storage_unavailable"),
        (errno.EIO, Unavailable, "storage_unavailable"),
    ],
)
@pytest.mark.parametrize("step", ["open", "fsync", "mkdir", "replace"])
def test_a_folder_that_takes_nothing_is_no_defect_and_keeps_nothing(
    folder: FolderStorage, monkeypatch: pytest.MonkeyPatch, number: int, kind: type[AppError], code: str, step: str
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(number, "the disk says no")

    with monkeypatch.context() as patched:
        owner = Path if step in ("mkdir", "replace") else os
        patched.setattr(owner, step, full)
        with pytest.raises(kind) as caught:
            put(folder, b"x" * 1000)
    assert caught.value.code == code
    assert files(folder) == []
    assert folder.exists(put(folder, b"x"))


def test_a_file_that_cannot_be_read_now_is_not_gone(folder: FolderStorage, monkeypatch: pytest.MonkeyPatch) -> None:
    key = put(folder, b"x")

    def broken(*_: object) -> None:
        raise OSError(errno.EIO, "a bad sector")

    monkeypatch.setattr(Path, "open", broken)
    with pytest.raises(Unavailable):
        folder.open(key)


def test_a_file_can_be_sought_in_and_read_in_pieces(storage: Storage) -> None:
    data = random.Random(2).randbytes(2_500_000)
    with storage.open(put(storage, data)) as file:
        assert (file.seek(0, io.SEEK_END), file.tell()) == (len(data), len(data))
        assert file.read() == b""
        file.seek(1_048_000)
        assert file.read(2_000) == data[1_048_000:1_050_000]
        file.seek(-10, io.SEEK_END)
        assert file.read() == data[-10:]
        file.seek(0)
        assert b"".join(iter(lambda: file.read(700_001), b"")) == data


def test_a_storage_says_whether_files_can_be_written(storage: Storage) -> None:
    assert storage.is_available()
    assert storage.is_available()


def test_a_folder_that_cannot_be_made_is_not_available(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    assert not FolderStorage(tmp_path / "file" / "media").is_available()
