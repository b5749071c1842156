"""uvicorn's HTTP protocol with bounds on what a stranger can have it hold: heads, pipelines, silent connections.

The server itself bounds none of them. Everything is counted while it arrives, a few kilobytes at a time, so that
nothing large is ever gathered. A refusal has the API's one shape.
"""

from __future__ import annotations

from asyncio import TimerHandle
from collections.abc import Sequence
from typing import Any, Final

import httptools

from backend.asgi.limits.admission import RETRY_SECONDS, Admission, is_lane_url, too_busy
from backend.asgi.limits.upgrades import UpgradeProtocol
from backend.asgi.responses import RequestTimeout, error_body
from backend.compat.uvicorn import STATUS_LINE, HttpToolsProtocol
from backend.core.errors import AppError, BadRequest, MethodNotAllowed, Unavailable

MAX_HEAD_BYTES: Final = 64 * 1024
MAX_HEADERS: Final = 100
HEAD_SECONDS: Final = 15.0
MAX_PIPELINED: Final = 20
"""Requests that may wait behind the one that is being served."""
_PIECE: Final = 16 * 1024
"""Bytes that are parsed at a time: so much a head may be over its bound before it is refused."""
_LINGER_SECONDS: Final = 2.0
"""How long a refused client may go on sending. One whose bytes are thrown away unread never sees the answer."""
_LINGER_BYTES: Final = 8 * 1024 * 1024
_UNREAD_SECONDS: Final = 60.0
"""How long the end of an answer may wait for a client that does not read."""

BETWEEN, _IN_HEAD, _IN_BODY = range(3)


class HeadTooLarge(AppError):
    """431: the request's line and headers are larger, or more, than is accepted."""

    status = 431
    code = "headers_too_large"
    message = f"A request's head has at most {MAX_HEADERS} headers and {MAX_HEAD_BYTES} bytes."


class LimitedProtocol(UpgradeProtocol):
    """One connection. A refusal ends it, after the answers to the requests before."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._admission: Admission | None = getattr(self.app, "admission", None)
        self._only_lane = False
        self._phase = BETWEEN
        self._fed = 0
        """Bytes of a head, or of a body's framing, that came in earlier pieces."""
        self._body_came = False
        self._head_timer: TimerHandle | None = None
        self._end_timer: TimerHandle | None = None
        self._refusal: AppError | None = None
        self._refused = False
        """Whether the refusal was written."""
        self._dropped = 0
        """Bytes thrown away since there is one."""
        self._upgraded = False

    # --- the connection ---

    def connection_made(self, transport: Any) -> None:
        """Takes a client, or refuses it when there is no room."""
        super().connection_made(transport)
        self._await_head()
        admission = self._admission
        if admission is not None and not admission.makes_room(self, self.connections):
            self._only_lane = True
            if len(self.connections) > 2 * admission.most_with_lane - admission.most:
                self.evict()  # not even for an answer
            elif len(self.connections) > admission.most_with_lane:
                self._refuse(too_busy())

    def connection_lost(self, exc: Exception | None) -> None:
        """Forgets the client."""
        self._stop_timers()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parses what came, in small pieces."""
        self._unset_keepalive_if_required()
        view = memoryview(data) if len(data) > _PIECE else data
        for start in range(0, len(data), _PIECE):
            self.feed(view[start : start + _PIECE])
            if self._upgraded:
                return

    def feed(self, data: bytes | memoryview) -> None:
        """Parses a piece and counts it."""
        if self._refusal is not None:
            self._dropped += len(data)
            if self._dropped > _LINGER_BYTES:
                self.transport.abort()
            return
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as error:
            self.after_upgrade(data[error.args[0] :])
        except httptools.HttpParserError:
            if self._refusal is None:
                self._refuse(BadRequest("malformed_request", "This is not a well-formed HTTP request."))
        else:
            if self._phase != BETWEEN:
                self._count(len(data))
            elif self._head_timer is None and self.timeout_keep_alive_task is None and not self._is_serving():
                self._await_head()  # empty lines, which may stand before a request, keep no connection open

    def _count(self, size: int) -> None:
        """Counts a piece that did not end its request."""
        if self._phase == _IN_HEAD:
            if self._head_timer is None:
                self._await_head()
            self._fed += size
        elif self._body_came:
            self._body_came, self._fed = False, 0
        else:
            self._fed += size  # the length of a chunk, extensions of it, or trailers
        if self._fed > MAX_HEAD_BYTES + _PIECE or len(self.headers) > MAX_HEADERS:
            self._refuse(HeadTooLarge())

    # --- the parser's callbacks ---

    def on_message_begin(self) -> None:
        """A request begins."""
        super().on_message_begin()
        self._phase, self._fed = _IN_HEAD, 0

    def on_headers_complete(self) -> None:
        """A request's head is whole: checks it and has the request served."""
        self.check_head()
        self.begin_request()

    def begin_request(self) -> None:
        """Has the request served. Raises what the parser says of a target that is no address."""
        phase, self._phase = self._phase, BETWEEN  # until it has begun there is no body that could be abandoned
        HttpToolsProtocol.on_headers_complete(self)
        self._phase = phase

    def check_head(self) -> None:
        """Checks a whole head. Raises the refusal, which ends the parsing."""
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None
        if self.parser.get_method() == b"CONNECT":
            self._refuse(MethodNotAllowed())  # a tunnel
            raise MethodNotAllowed
        headers = self.headers
        # One that came in a single piece is not too large, and small requests are to cost nothing.
        if len(headers) > MAX_HEADERS or (self._fed and is_too_large(self.url, headers)):
            self._refuse(HeadTooLarge())
            raise HeadTooLarge
        if len(self.pipeline) >= MAX_PIPELINED:
            refusal: AppError = Unavailable(
                "too_many_pipelined",
                f"At most {MAX_PIPELINED} requests may wait on one connection.",
                retry_after=RETRY_SECONDS,
            )
            self._refuse(refusal)
            raise refusal
        if self._only_lane and not is_lane_url(self.url):
            refusal = too_busy()
            self._refuse(refusal)
            raise refusal
        self._phase, self._fed, self._body_came = _IN_BODY, 0, False
        if not self.parser.should_upgrade():
            # What comes as trailers after a body must not pass for the headers of its request.
            self.headers = []

    def on_body(self, body: bytes) -> None:
        """A piece of a body."""
        self._body_came = True
        super().on_body(body)

    def on_message_complete(self) -> None:
        """A request is whole."""
        self._phase = BETWEEN
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """A request was answered: serves the next, or says why there is none."""
        super().on_response_complete()
        if self.transport.is_closing():
            self._await_reader()
        elif self._refusal is not None and not self._refused and not self._is_serving():
            self._write_refusal()

    def handle_websocket_upgrade(self) -> None:
        """Hands the connection to the server's WebSocket protocol."""
        self._upgraded = True
        self._stop_timers()
        super().handle_websocket_upgrade()

    # --- time ---

    def _await_head(self) -> None:
        self._head_timer = self.loop.call_later(HEAD_SECONDS, self._head_is_late)

    def _head_is_late(self) -> None:
        self._head_timer = None
        if self.transport.is_closing() or self._refusal is not None:
            return
        if self._is_serving():
            self._await_head()  # perhaps the rest is not read because of the requests before it
        elif self._phase == _IN_HEAD:
            self._refuse(RequestTimeout())
        else:
            self.transport.close()  # nothing was said, so nothing is answered
            self._count_refusal("silent")

    def timeout_keep_alive_handler(self) -> None:
        """Ends a connection on which nothing came for long, also when the last answer is not read."""
        if self.transport.get_write_buffer_size():
            self.transport.abort()
        super().timeout_keep_alive_handler()

    def _await_reader(self) -> None:
        """Ends the connection when the last answer was read, or after a while."""
        if self._end_timer is None and self.transport.get_write_buffer_size():
            self._end_timer = self.loop.call_later(_UNREAD_SECONDS, self.transport.abort)

    def _stop_timers(self) -> None:
        for timer in (self._head_timer, self._end_timer):
            if timer is not None:
                timer.cancel()
        self._head_timer = self._end_timer = None

    # --- refusing ---

    @property
    def waits_since(self) -> tuple[int, float] | None:
        """See `admission.Connection`."""
        if self.transport.is_closing() or self._is_serving():
            return None
        if self._head_timer is not None:
            return 0, self._head_timer.when()
        if self.timeout_keep_alive_task is not None:
            return 1, self.timeout_keep_alive_task.when()
        return None

    def evict(self) -> None:
        """Ends the connection at once."""
        self.connections.discard(self)
        self.transport.abort()

    def _is_serving(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _refuse(self, error: AppError) -> None:
        """Has the connection end with this error, after the answers that are still due."""
        self._refusal = error
        self._count_refusal(error.code)
        if self._phase == _IN_BODY:
            self.abandon_body()
        self._phase = BETWEEN
        if not self._is_serving():
            self._write_refusal()

    def abandon_body(self) -> None:
        """Takes back the request whose body is not going to be whole."""
        cycle = self.cycle
        if cycle.response_complete or cycle.response_started:
            self.transport.close()  # it was answered before its end; a second answer would be another request's
            return
        waiting = [pipelined for pipelined in self.pipeline if pipelined[0] is cycle]
        for pipelined in waiting:
            self.pipeline.remove(pipelined)
        cycle.disconnected = True
        cycle.message_event.set()
        if not waiting:
            self._write_refusal()

    def _write_refusal(self) -> None:
        if self._refused or self._refusal is None or self.transport.is_closing():
            return
        self._refused = True
        self._unset_keepalive_if_required()
        status, headers, body = error_body(self._refusal)
        headers = [*self.server_state.default_headers, *headers, (b"connection", b"close")]
        lines = b"".join(b"%b: %b\r\n" % pair for pair in headers)
        self.transport.write(b"".join([STATUS_LINE[status], lines, b"content-length: %d\r\n\r\n" % len(body), body]))
        self._stop_timers()
        self._end_timer = self.loop.call_later(_LINGER_SECONDS, self.transport.abort)
        self.flow.resume_reading()
        if self.transport.can_write_eof():
            self.transport.write_eof()

    def _count_refusal(self, code: str) -> None:
        if self._admission is not None:
            self._admission.count_refusal(code)


def is_too_large(url: bytes, headers: Sequence[tuple[bytes, bytes]]) -> bool:
    """Whether a head has more, or more bytes, than is accepted; its method and version do not count."""
    size = len(url) + sum(len(name) + len(value) + 4 for name, value in headers)
    return len(headers) > MAX_HEADERS or size > MAX_HEAD_BYTES
