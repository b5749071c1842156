"""WSGI from ASGI: the environment of a request, and one call of the application, step by step.

Each step runs in a thread, but not always in the same one: all steps of a request run in one context.
"""

from __future__ import annotations

import contextvars
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import IO, Any, Final
from urllib.parse import unquote_to_bytes

from backend.asgi.responses import Headers, Scope

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

_PIECE: Final = 256 * 1024
_known: dict[bytes, str | None] = {
    b"content-type": "CONTENT_TYPE",
    b"content-length": None,  # what was read says it
    b"transfer-encoding": None,  # what was read is whole
}


class FileWrapper:
    """Reads a file in pieces that are worth a thread."""

    def __init__(self, file: IO[bytes], _size: int = 0) -> None:
        self._file = file

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        piece = self._file.read(_PIECE)
        if not piece:
            raise StopIteration
        return piece

    def close(self) -> None:
        """Closes the file."""
        self._file.close()


def environ_of(scope: Scope, body: IO[bytes], length: int | None) -> dict[str, Any]:
    """The environment of PEP 3333. `length` is the body's, or what a body that was not read had declared."""
    server, client = scope.get("server"), scope.get("client")
    raw = scope.get("raw_path") or scope["path"].encode()
    path = unquote_to_bytes(raw) if b"%" in raw else raw
    environ: dict[str, Any] = {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": "",
        "PATH_INFO": path.decode("latin-1"),
        "QUERY_STRING": scope["query_string"].decode("latin-1"),
        "SERVER_NAME": server[0] if server else "localhost",
        "SERVER_PORT": str(server[1] or 0) if server else "80",
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "REMOTE_ADDR": client[0] if client else "",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope.get("scheme", "http"),
        "wsgi.input": body,
        "wsgi.input_terminated": True,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
        "wsgi.file_wrapper": FileWrapper,
    }
    if length is not None:
        environ["CONTENT_LENGTH"] = str(length)
    for name, value in scope["headers"]:
        key = _known.get(name) if name in _known else _key(name)
        if key is None:
            continue
        text = value.decode("latin-1")
        earlier = environ.get(key)
        # Several lines are one list, in their order: the rightmost address of X-Forwarded-For stays rightmost.
        environ[key] = text if earlier is None else f"{earlier}{'; ' if name == b'cookie' else ','}{text}"
    return environ


def _key(name: bytes) -> str | None:
    """A header's name in the environment. None for one with an underscore: it could pass for another's."""
    key = None if b"_" in name else "HTTP_" + name.decode("latin-1").upper().replace("-", "_")
    if len(_known) < 500:
        _known[name] = key
    return key


class WsgiCall:
    """One request and its answer."""

    __slots__ = ("_application", "_context", "_environ", "_headers", "_iterable", "_iterator", "_left", "_status")

    def __init__(self, application: Application, environ: dict[str, Any]) -> None:
        self._application = application
        self._environ = environ
        self._context = contextvars.copy_context()
        self._status = 0
        self._headers: Headers = []
        self._iterable: Any = None
        self._iterator: Iterator[bytes] | None = None
        self._left: int | None = None
        """Bytes that the declared length still promises; None where none was declared."""

    def begin(self) -> tuple[int, Headers, bytes, bool]:
        """Status, headers, the first piece, and whether that was all; then everything is closed already.

        Raises what the application raises, after closing.
        """
        return self._context.run(self._begin)

    def more(self) -> bytes | None:
        """The next piece; None at the end."""
        return self._context.run(self._next)

    def close(self) -> None:
        """Closes what the application returned, and the body. Generators end here, however far they came."""
        self._context.run(self._close)

    def _begin(self) -> tuple[int, Headers, bytes, bool]:
        try:
            self._iterable = self._application(self._environ, self._start_response)
            self._iterator = iter(self._iterable)
            piece = self._next()
            # With what was declared the answer is whole; nobody has to ask for a second piece that may take long.
            whole = piece is None or self._left == 0
        except BaseException:
            self._close()
            raise
        if whole:
            self._close()
        if not self._status:
            raise RuntimeError("the application answered without a status")
        return self._status, self._headers, piece or b"", whole

    def _next(self) -> bytes | None:
        assert self._iterator is not None
        for piece in self._iterator:
            if piece:
                if self._left is not None:
                    self._left -= len(piece)
                return piece
        return None

    def _close(self) -> None:
        try:
            close = getattr(self._iterable, "close", None)
            if close is not None:
                close()
        finally:
            self._iterable = self._iterator = None
            self._environ["wsgi.input"].close()

    def _start_response(
        self, status: str, headers: list[tuple[str, str]], exc_info: Any = None
    ) -> Callable[[bytes], object]:
        self._status = int(status[:3])
        self._headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]
        for name, value in self._headers:
            if name == b"content-length":
                self._left = int(value)
        return _no_write


def _no_write(_piece: bytes) -> object:
    raise NotImplementedError("write() is not offered: return what there is to say")
