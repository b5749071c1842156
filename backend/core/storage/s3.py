"""Files in a bucket of Amazon S3, or of a server that speaks its protocol.

botocore is imported when the storage is first used, which costs a process some 36 MB; where files are kept in a folder
it is never loaded. What `MEDIA_URL` does not say (credentials, region) botocore finds as every tool of AWS does.
"""

from __future__ import annotations

import errno
import io
import tempfile
import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, BinaryIO, Final, cast
from urllib.parse import parse_qsl, unquote, urlsplit

from backend.core.errors import AppError
from backend.core.logging import get_logger
from backend.core.storage import content
from backend.core.storage.content import StoredFile

log = get_logger(__name__)

CONNECT_SECONDS: Final = 5
READ_SECONDS: Final = 15
TRIES: Final = 3
"""How often one request is made, the first included."""
PROBE: Final = "availability-probe"
_READ_AHEAD: Final = 1024 * 1024
_IN_MEMORY: Final = 1024 * 1024
_CONNECTIONS: Final = 16
_GONE: Final = frozenset({"404", "NoSuchKey", "NotFound"})
_OPTIONS: Final = frozenset({"endpoint", "region", "style"})


@dataclass(frozen=True, slots=True)
class Place:
    """A bucket, the prefix of all keys in it (without slashes around), and how it is reached."""

    bucket: str
    prefix: str = ""
    endpoint: str | None = None
    region: str | None = None
    style: str | None = None
    access_key: str | None = field(default=None, repr=False)
    secret_key: str | None = field(default=None, repr=False)


def place_of(media_url: str) -> Place:
    """The place that `s3://[key:secret@]bucket[/prefix][?endpoint=…&region=…&style=…]` names.

    Raises ValueError with a sentence that repeats neither key nor secret.
    """
    parts = urlsplit(media_url)
    bucket = parts.netloc.rpartition("@")[2]
    if not bucket or ":" in bucket:
        raise ValueError("after s3:// comes a bucket's name; a server's address goes into ?endpoint=")
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    if unknown := sorted(options.keys() - _OPTIONS):
        raise ValueError(f"{unknown[0]!r} is none of endpoint, region, style")
    endpoint = options.get("endpoint") or None
    if endpoint is not None and (urlsplit(endpoint).scheme not in ("http", "https") or not urlsplit(endpoint).hostname):
        raise ValueError("endpoint is an http(s) address")
    if options.get("style", "path") not in ("path", "virtual"):
        raise ValueError("style is path or virtual")
    if (parts.username is None) != (parts.password is None):
        raise ValueError("a key comes with its secret, as in s3://key:secret@bucket")
    return Place(
        bucket=bucket,
        prefix=unquote(parts.path).strip("/"),
        endpoint=endpoint,
        region=options.get("region") or None,
        style=options.get("style"),
        access_key=unquote(parts.username) if parts.username is not None else None,
        secret_key=unquote(parts.password) if parts.password is not None else None,
    )


class S3Storage:
    """Files in a bucket; any number of processes may use it at once."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._lock = threading.Lock()
        self._opened: Any = None

    def __repr__(self) -> str:
        return f"S3Storage({self._place.bucket!r}, {self._place.prefix!r})"

    def put(
        self, stream: BinaryIO, *, max_bytes: int, prefix: str, accept: Collection[str] | None = None
    ) -> StoredFile:
        """See `Storage.put`. What is judged is complete before anything is sent, so nothing half is ever stored."""
        key = content.new_key(prefix)
        with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY) as spool:
            try:
                stored = content.copy(stream, cast(BinaryIO, spool), key, max_bytes, accept)
            except OSError as error:
                if content.is_machine_fault(error):
                    raise content.storage_fault(error) from None
                raise
            spool.seek(0)
            with _faults("put"):
                self._client().put_object(
                    Bucket=self._place.bucket, Key=self._name(key), Body=spool, ContentLength=stored.size
                )
        return stored

    def open(self, key: str) -> BinaryIO:
        """See `Storage.open`. It is read in pieces of a megabyte; one that does not come raises OSError."""
        size = self._size(key)
        if size is None:
            raise content.missing()
        return cast(BinaryIO, io.BufferedReader(_Reader(self, key, size), _READ_AHEAD))

    def exists(self, key: str) -> bool:
        """See `Storage.exists`. Raises `Unavailable`."""
        return self._size(key) is not None

    def delete(self, key: str) -> None:
        """See `Storage.delete`."""
        if content.is_key(key):
            with _faults("delete"):
                self._client().delete_object(Bucket=self._place.bucket, Key=self._name(key))

    def is_available(self) -> bool:
        """See `Storage.is_available`. Writes a small object, always the same one."""
        try:
            with _faults("probe"):
                self._client().put_object(Bucket=self._place.bucket, Key=self._name(PROBE), Body=b"")
        except AppError:
            return False
        return True

    def piece(self, key: str, start: int, size: int) -> bytes:
        """Some bytes of a file. Raises OSError where they do not come."""
        window = f"bytes={start}-{start + size - 1}"
        try:
            with _faults("get"):
                answer = self._client().get_object(Bucket=self._place.bucket, Key=self._name(key), Range=window)
                data: bytes = answer["Body"].read()
        except AppError as error:
            raise OSError(errno.EIO, error.code) from None
        return data

    def _size(self, key: str) -> int | None:
        if not content.is_key(key):
            return None
        with _faults("head"):
            try:
                answer = self._client().head_object(Bucket=self._place.bucket, Key=self._name(key))
            except Exception as error:
                if _code_of(error) in _GONE:
                    return None
                raise
            return int(answer["ContentLength"])

    def _name(self, key: str) -> str:
        return f"{self._place.prefix}/{key}" if self._place.prefix else key

    def _client(self) -> Any:
        with self._lock:
            if self._opened is None:
                self._opened = _client_of(self._place)
            return self._opened


class _Reader(io.RawIOBase):
    """A file of the storage as a stream that can be sought in; each read is a request."""

    def __init__(self, storage: S3Storage, key: str, size: int) -> None:
        self._storage, self._key, self._size = storage, key, size
        self._at = 0

    def readable(self) -> bool:
        """Yes."""
        return True

    def seekable(self) -> bool:
        """Yes."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Moves to a position, which is returned."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        self._at = max(0, base + offset)
        return self._at

    def tell(self) -> int:
        """The position."""
        return self._at

    def readinto(self, buffer: Any) -> int:
        """Reads the next bytes. Raises OSError where they do not come, or fewer than there are."""
        wanted = min(len(buffer), self._size - self._at)
        if wanted <= 0:
            return 0
        data = self._storage.piece(self._key, self._at, wanted)
        if len(data) != wanted:
            raise OSError(errno.EIO, "a piece is not complete")
        buffer[:wanted] = data
        self._at += wanted
        return wanted


@contextmanager
def _faults(operation: str) -> Iterator[None]:
    """Turns what a server or a network does into `Unavailable`. A missing file is for the caller to find."""
    # Loaded by now: the client was made, or is made in here.
    from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError  # type: ignore[import-untyped]

    try:
        yield
    except (BotoCoreError, ClientError, HTTPClientError) as error:
        log.warning("storage_away", operation=operation, error=type(error).__name__, code=_code_of(error))
        raise content.unavailable() from None


def _code_of(error: Exception) -> str:
    answer = getattr(error, "response", None)
    return str(answer.get("Error", {}).get("Code", "")) if isinstance(answer, dict) else ""


def _client_of(place: Place) -> Any:
    import botocore.session  # type: ignore[import-untyped]
    from botocore.config import Config  # type: ignore[import-untyped]

    session = botocore.session.get_session()
    if place.access_key is not None:
        session.set_credentials(place.access_key, place.secret_key)
    # Not every server has AWS's newer checksums, nor a name of its own for each bucket.
    style = place.style or ("path" if place.endpoint else "auto")
    options = Config(
        connect_timeout=CONNECT_SECONDS,
        read_timeout=READ_SECONDS,
        max_pool_connections=_CONNECTIONS,
        retries={"total_max_attempts": TRIES, "mode": "standard"},
        s3={"addressing_style": style},
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )
    region = place.region or session.get_config_variable("region") or "us-east-1"
    return session.create_client("s3", region_name=region, endpoint_url=place.endpoint, config=options)
