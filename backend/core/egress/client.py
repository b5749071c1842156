"""One guarded request, with its redirects, from an address to a bounded answer."""

from __future__ import annotations

import io
import re
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from http.client import HTTPConnection, HTTPResponse, IncompleteRead
from typing import BinaryIO, Final, cast

import certifi

from backend.core.egress import body as bodies
from backend.core.egress import connection, target
from backend.core.egress.connection import Connector, Deadline, DeadlineSocket, Resolver, TooMuchReceived
from backend.core.egress.errors import EgressFailed, EgressRefused
from backend.core.egress.target import Target
from backend.core.errors import AppError

DEFAULT_MAX_BYTES: Final = 5 * 1024 * 1024

_MAX_HEAD: Final = 256 * 1024
"""Bytes of an answer's status line and headers, interim answers included."""
_FRAMING: Final = 256 * 1024
"""What the sizes of chunks may add to a body, beside once its own length."""
_REDIRECTS: Final = frozenset((301, 302, 303, 307, 308))
_METHODS: Final = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"))
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_HEADER_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
# The client decides about these itself.
_OWN_HEADERS: Final = frozenset(
    ("host", "connection", "content-length", "transfer-encoding", "accept-encoding", "te", "upgrade", "expect")
)
# All that another origin gets to see of the caller's headers. Not a list of secrets to drop: any may be one.
_TRAVELLING_HEADERS: Final = frozenset(("accept", "accept-language", "content-type", "user-agent"))


@dataclass(frozen=True)
class Response:
    """What was answered. `headers` have lower-case names; `url` is where the last redirect led, unshown."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    content: bytes = field(repr=False)
    url: str = field(repr=False)
    size: int = 0
    """Bytes of the body, after unpacking; also where it went to a file."""


class Egress:
    """The guarded client; safe to share between threads. It keeps no connections and no cookies."""

    def __init__(
        self,
        allow_private: bool = False,
        *,
        allowed_ports: frozenset[int] | None = None,
        user_agent: str = "Switchboard",
        resolver: Resolver = connection.system_resolver,
        connector: Connector = connection.system_connector,
        ssl_context: ssl.SSLContext | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`allow_private` is for development; `allowed_ports` None means any but those of other protocols.

        The last four are for tests: `resolver` answers a name's addresses, `connector` opens a TCP connection to
        one that has been judged, `monotonic` gives seconds.
        """
        self._allow_private = allow_private
        self._allowed_ports = allowed_ports
        self._user_agent = user_agent
        self._resolver = resolver
        self._connector = connector
        self._given_context = ssl_context
        self._monotonic = monotonic

    def judge(self, url: str, *, timeout: float = 2) -> None:
        """Whether `fetch` would go there, without going. Raises what it would: `EgressRefused`, `EgressFailed`."""
        place = target.parse(url, allowed_ports=self._allowed_ports)
        try:
            deadline = Deadline(timeout, self._monotonic)
            connection.resolve(place, self._resolver, deadline, allow_private=self._allow_private)
        except TimeoutError:
            raise EgressFailed("timeout", f"{place.origin} took too long.", sent=False) from None

    def fetch(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        timeout: float = 10,
        max_bytes: int = DEFAULT_MAX_BYTES,
        max_redirects: int = 3,
    ) -> Response:
        """Sends a request and returns the answer, whatever its status, with its body.

        `timeout` bounds everything together, in seconds; `max_bytes` the body, before and after unpacking. With
        `max_redirects` 0 a redirect is returned as it is. A redirect turns POST into GET as browsers do (301,
        302, 303) and keeps everything with 307 and 308; another origin gets only harmless headers. Raises
        `EgressRefused` and `EgressFailed`.
        """
        sink = io.BytesIO()
        answer = self.fetch_to(
            sink,
            method,
            url,
            headers=headers,
            body=body,
            timeout=timeout,
            max_bytes=max_bytes,
            max_redirects=max_redirects,
        )
        return Response(answer.status, answer.headers, sink.getvalue(), answer.url, answer.size)

    def fetch_to(
        self,
        file: BinaryIO,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        timeout: float = 60,
        max_bytes: int = DEFAULT_MAX_BYTES,
        max_redirects: int = 3,
    ) -> Response:
        """`fetch`, with the body written to `file` as it comes; `content` stays empty.

        What was written before a failure stays in the file.
        """
        if method not in _METHODS:
            raise ValueError(f"{method!r} is not a method that is used here.")
        deadline = Deadline(timeout, self._monotonic)
        sent_headers = self._checked(headers or {})
        place = target.parse(url, allowed_ports=self._allowed_ports)
        for _ in range(max_redirects + 1):
            with _Exchange(place, self, deadline) as exchange:
                answer = exchange.ask(method, sent_headers, body)
                location = answer.getheader("Location")
                if answer.status not in _REDIRECTS or location is None or max_redirects == 0:
                    size = exchange.receive(file, max_bytes)
                    return Response(answer.status, _headers(answer), b"", place.url, size)
            previous, place = place, target.follow(place, _as_text(location), allowed_ports=self._allowed_ports)
            if (answer.status == 303 and method != "HEAD") or (answer.status in (301, 302) and method == "POST"):
                method, body = "GET", None
                sent_headers = {name: value for name, value in sent_headers.items() if name != "content-type"}
            if place.origin != previous.origin:
                sent_headers = {name: v for name, v in sent_headers.items() if name in _TRAVELLING_HEADERS}
        raise EgressFailed("too_many_redirects", f"{place.origin} redirects too often.")

    def _open(self, place: Target, deadline: Deadline) -> DeadlineSocket:
        judged = connection.resolve(place, self._resolver, deadline, allow_private=self._allow_private)
        return connection.connect(place, judged, self._connector, deadline, lambda: self._ssl_context)

    @cached_property
    def _ssl_context(self) -> ssl.SSLContext:
        if self._given_context is not None:
            return self._given_context
        # The system's authorities (perhaps a company's own) and certifi's, for Pythons without any.
        context = ssl.create_default_context()
        context.load_verify_locations(certifi.where())
        return context

    def _checked(self, headers: Mapping[str, str]) -> dict[str, str]:
        checked = {"user-agent": self._user_agent, "accept": "*/*"}
        for name, value in headers.items():
            if not _HEADER_NAME.fullmatch(name) or not _HEADER_VALUE.fullmatch(value):
                raise EgressRefused("invalid_header", "A header holds characters that headers cannot hold.")
            if name.lower() in _OWN_HEADERS:
                raise EgressRefused("invalid_header", f"The header {name} cannot be set.")
            checked[name.lower()] = value
        return checked


class _Exchange:
    """One request to one place and its answer; leaving it closes the connection."""

    def __init__(self, place: Target, egress: Egress, deadline: Deadline) -> None:
        self._place = place
        self._egress = egress
        self._deadline = deadline
        self._socket: DeadlineSocket | None = None
        self._answer: HTTPResponse | None = None

    def __enter__(self) -> _Exchange:
        return self

    def __exit__(self, *_: object) -> None:
        if self._answer is not None:
            self._answer.close()
        if self._socket is not None:
            self._socket.end()

    def ask(self, method: str, headers: Mapping[str, str], body: bytes | None) -> HTTPResponse:
        """Connects, sends and reads the head of the answer. Raises `EgressRefused` and `EgressFailed`."""
        try:
            self._socket = self._egress._open(self._place, self._deadline)
        except TimeoutError:
            raise EgressFailed("timeout", f"{self._place.origin} took too long.", sent=False) from None
        http = HTTPConnection(self._place.host, self._place.port)
        http.auto_open = 0  # nothing but the judged connection
        http.sock = cast("ssl.SSLSocket", self._socket)
        self._socket.allow(_MAX_HEAD)
        with _Failures(self._place):
            http.putrequest(method, self._place.resource, skip_host=True, skip_accept_encoding=True)
            http.putheader("Host", self._place.authority)
            http.putheader("Accept-Encoding", "gzip, deflate")
            http.putheader("Connection", "close")
            for name, value in headers.items():
                http.putheader(name, value.encode("latin-1"))
            if body is not None:
                http.putheader("Content-Length", str(len(body)))
            http.endheaders(body)
            self._answer = http.getresponse()
        return self._answer

    def receive(self, file: BinaryIO, max_bytes: int) -> int:
        """Writes the body to `file`; its size in bytes. Raises `EgressFailed`."""
        assert self._answer is not None
        size = 0
        if self._socket is not None:
            self._socket.allow(2 * max_bytes + _FRAMING)
        pieces = bodies.read(self._answer, self._place.origin, max_bytes)
        while True:
            with _Failures(self._place):
                piece = next(pieces, None)
            if piece is None:
                return size
            file.write(piece)
            size += len(piece)


class _Failures:
    """Turns what sockets and `http.client` raise into `EgressFailed`."""

    def __init__(self, place: Target) -> None:
        self._origin = place.origin

    def __enter__(self) -> None:
        return None

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, TimeoutError):
            raise EgressFailed("timeout", f"{self._origin} took too long.") from None
        if isinstance(error, TooMuchReceived):
            raise EgressFailed("response_too_large", f"{self._origin} answered with too many bytes.") from None
        if isinstance(error, OSError | IncompleteRead):
            raise EgressFailed("connection_lost", f"{self._origin} broke the connection off.") from None
        if isinstance(error, Exception) and not isinstance(error, AppError):
            # Whatever `http.client` makes of bytes that are not HTTP: HTTPException, and ValueError for odd lengths.
            raise EgressFailed("bad_response", f"{self._origin} did not answer in HTTP.") from None


def _headers(answer: HTTPResponse) -> dict[str, str]:
    headers: dict[str, str] = {}
    for name, value in answer.getheaders():
        name = name.lower()
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers


def _as_text(header: str) -> str:
    # http.client reads headers as latin-1; locations are sent as UTF-8 where they are not ASCII.
    try:
        return header.strip().encode("latin-1").decode("utf-8")
    except UnicodeError:
        return header.strip()
