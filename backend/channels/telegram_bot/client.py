"""The Bot API over HTTP: one call, one answer or one of the five errors.

The token stands in the address, so nothing here puts an address, or an exception of the libraries, into an
error.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any, BinaryIO
from urllib.parse import quote

from requests_toolbelt.multipart.encoder import MultipartEncoder  # type: ignore[import-untyped]

from backend.channels.errors import OutcomeUnknown, Rejected, RetryLater, SenderDisabled
from backend.channels.telegram_bot import errors, limits
from backend.channels.telegram_bot.tokens import bot_id_of
from backend.channels.transport import Answer, Timeouts, Transport
from backend.core.egress.answers import read_json
from backend.core.errors import NotFound, Unavailable

PUBLIC_ADDRESS = "https://api.telegram.org"
_FILE_PATH = re.compile(r"[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)*")
_LONG_POLL_MARGIN = 10.0
_STORAGE_WAIT = 30.0


@dataclass(frozen=True, slots=True)
class Upload:
    """A local file of a request, sent as the form field `name`. `opener` is called at each try; at most
    `max_bytes`, else `Rejected(too_large_code)`."""

    name: str
    filename: str
    mime: str
    opener: Callable[[], BinaryIO] = field(repr=False)
    max_bytes: int = limits.UPLOAD_BYTES
    too_large_code: str = "file_too_large"


class BotClient:
    """Calls Bot API methods for any number of bots, from any number of threads, over one pool of connections.

    `base_url` is Telegram's, or that of somebody's own Bot API server. Times are in seconds.
    """

    def __init__(
        self, base_url: str = PUBLIC_ADDRESS, *, pool_size: int = 16, timeouts: Timeouts | None = None
    ) -> None:
        self._base_url = base_url.rstrip("/")
        self._timeouts = timeouts or Timeouts()
        self._transport = Transport(pool_size=pool_size)

    def call(
        self,
        token: str,
        method: str,
        params: Mapping[str, Any] | None = None,
        uploads: Sequence[Upload] = (),
        *,
        deadline: float = float("inf"),
        waits: float = 0.0,
    ) -> Any:
        """The `result` of a method. Parameters that are None are left out. A plain call is JSON, one with
        uploads is a form whose files are read piece by piece. `waits` is how long Telegram itself holds the
        answer back (long polling). Raises one of the five errors."""
        url = f"{self._base_url}/bot{_checked(token)}/{method}"
        present = {name: value for name, value in (params or {}).items() if value is not None}
        timeouts = self._timeouts
        if waits:
            timeouts = Timeouts(timeouts.connect, waits + _LONG_POLL_MARGIN, waits + timeouts.total)
        if not uploads:
            return _result(self._transport.exchange("POST", url, json=present, timeouts=timeouts, deadline=deadline))
        with ExitStack() as files:
            fields: list[tuple[str, Any]] = [(name, _form_value(value)) for name, value in present.items()]
            fields += [(item.name, (item.filename, _opened(item, files), item.mime)) for item in uploads]
            body = MultipartEncoder(fields=fields)
            return _result(self._transport.exchange("POST", url, body=body, timeouts=timeouts, deadline=deadline))

    def download(self, token: str, file_id: str, sink: BinaryIO, *, max_bytes: int = limits.DOWNLOAD_BYTES) -> int:
        """Write a file that somebody sent into `sink` and return its size in bytes. Raises
        `Rejected("file_too_large")` as soon as it is known to be over `max_bytes` (some of it may be written
        by then), `Rejected("file_gone")`, or another of the five errors; asking again is always safe."""
        facts = self.call(token, "getFile", {"file_id": file_id})
        path = facts.get("file_path") if isinstance(facts, dict) else None
        # A self-hosted server in local mode names paths of its own disk; those, and anything else odd, are
        # refused.
        if not isinstance(path, str) or not _FILE_PATH.fullmatch(path) or ".." in path.split("/"):
            raise Rejected("file_gone")
        size = facts.get("file_size")
        if isinstance(size, int) and size > max_bytes:
            raise Rejected("file_too_large")
        url = f"{self._base_url}/file/bot{_checked(token)}/{quote(path)}"
        with self._transport.stream("GET", url, timeouts=self._timeouts) as (answer, chunks):
            if answer.status in (400, 404):
                raise Rejected("file_gone")
            if answer.status != 200:
                raise errors.from_answer(answer.status, None, answer.headers.get("retry-after"))
            written = 0
            for chunk in chunks:
                written += len(chunk)
                if written > max_bytes:
                    raise Rejected("file_too_large")
                sink.write(chunk)
            return written


class _Sized:
    """A file as exactly the bytes it had when it was opened. What grows meanwhile is cut; what shrinks breaks off,
    because the length has been promised by then and the request must not look whole."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self._file = file
        self.len = size

    def read(self, size: int = -1) -> bytes:
        """The next bytes. Raises OSError when the file ends too soon."""
        chunk = self._file.read(self.len if size < 0 else min(size, self.len))
        if not chunk and self.len:
            raise OSError("the file became shorter")
        self.len -= len(chunk)
        return chunk


def _checked(token: str) -> str:
    if bot_id_of(token) is None:
        raise SenderDisabled("token_malformed")
    return token


def _form_value(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _opened(item: Upload, files: ExitStack) -> _Sized:
    """The upload's file at its start, closed with `files`. Nothing has been sent when this raises."""
    try:
        file = files.enter_context(item.opener())
        size = file.seek(0, 2)
        file.seek(0)
    except (FileNotFoundError, NotFound):
        size = -1
    except (OSError, Unavailable):
        size = -2
    if size == -1:
        raise Rejected("file_missing")
    if size == -2:
        raise RetryLater(_STORAGE_WAIT, "storage_failed")
    if size > item.max_bytes:
        raise Rejected(item.too_large_code)
    return _Sized(file, size)


def _result(answer: Answer) -> Any:
    try:
        body = read_json(answer.body)
    except ValueError:
        body = None
    if isinstance(body, dict) and body.get("ok") is True and "result" in body:
        return body["result"]
    if body is None and 200 <= answer.status < 300:
        raise OutcomeUnknown("unreadable_answer")
    raise errors.from_answer(answer.status, body, answer.headers.get("retry-after"))
