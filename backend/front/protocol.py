"""The server's HTTP protocol with a short cut for updates (`uvicorn --http backend.front.protocol:Protocol`).

A request costs three times as much as an ASGI call with a scope, a task and four messages than as what it is: a few
headers and a body that came in one read. Whether it is such a request is known when the read is over; one that is not
(half a body, another address, a wrong secret) goes the ordinary way from its beginning. The application works the same
with the server's own protocols, only slower.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from backend.front.answers import Headers
from backend.front.express import BOT_ROUTE, DEFAULT_ROUTE, next_request_id

if TYPE_CHECKING:
    from backend.front.webhooks import Webhooks
    from backend.services.senders.doors import Door


class Protocol(HttpToolsProtocol):
    """One connection. `_held` has the pieces of the body of a request that may be taken at once."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        # The server asks whether its logger has handlers; ours, which serve every logger, are not meant by that.
        self.access_log = self.access_log and self.config.access_log
        usual = not self.access_log and self.limit_concurrency is None and not self.root_path
        self._webhooks: Webhooks | None = getattr(self.app, "webhooks", None) if usual else None
        self._held: list[bytes] | None = None
        self._door: Door | None = None

    def data_received(self, data: bytes) -> None:
        """Reads; what is not whole by then is not taken at once."""
        super().data_received(data)
        if self._held is not None:
            held, self._held = self._held, None
            if not self.transport.is_closing():
                super().on_headers_complete()
                for piece in held:
                    super().on_body(piece)

    def on_headers_complete(self) -> None:
        """Waits for the body where the request is an update's."""
        self._door = self._find_door()
        if self._door is None:
            super().on_headers_complete()
        else:
            self._held = []

    def on_body(self, body: bytes) -> None:
        """A piece of the body."""
        if self._held is None:
            super().on_body(body)
        else:
            self._held.append(body)

    def on_message_complete(self) -> None:
        """Takes the update."""
        if self._held is None or self._door is None or self._webhooks is None:
            super().on_message_complete()
            return
        raw, self._held = b"".join(self._held), None
        taken = Taken(self, DEFAULT_ROUTE if self.url.startswith(b"/telegram/") else BOT_ROUTE)
        self.cycle = taken  # type: ignore[assignment]
        self._webhooks.express(self.loop).take(self._door, raw, taken)

    def _find_door(self) -> Door | None:
        """The door that lets this request in, if nothing but its body is missing."""
        if self._webhooks is None or (self.cycle is not None and not self.cycle.response_complete):
            return None  # pipelined: it has its turn after the one before
        if self.flow.write_paused:
            return None  # it sends and does not read: the ordinary way waits for it
        parser = self.parser
        if parser.get_method() != b"POST" or parser.get_http_version() != "1.1":
            return None
        if parser.should_upgrade() or self.expect_100_continue:
            return None
        return self._webhooks.door(self.url, self.headers)


class _Deaf:
    """Stands for the event that wakes an ASGI call: there is none."""

    def set(self) -> None:
        """Nobody waits."""


_DEAF = _Deaf()


class Taken:
    """A request that was taken at once. To the protocol it is a cycle like any other."""

    __slots__ = ("_protocol", "began", "disconnected", "keep_alive", "message_event", "response_complete", "route")

    def __init__(self, protocol: Protocol, route: str) -> None:
        self._protocol = protocol
        self.route = route
        self.began = time.perf_counter()
        self.keep_alive = protocol.parser.should_keep_alive()
        self.disconnected = False
        self.response_complete = False
        self.message_event = _DEAF

    @property
    def answered(self) -> bool:
        """Whether it was, or there is nobody left to be."""
        # A connection that ends while another request waits behind this one says so only to that one.
        return self.response_complete or self.disconnected or self._protocol.transport.is_closing()

    def answer(self, status: int, headers: Headers, body: bytes) -> str:
        """See `Asker`."""
        request_id = next_request_id()
        protocol = self._protocol
        pieces = [STATUS_LINE[status], _lines(protocol.server_state.default_headers), _lines(headers)]
        pieces.append(b"content-length: %d\r\nx-request-id: %b\r\n" % (len(body), request_id.encode()))
        pieces += [b"\r\n" if self.keep_alive else b"connection: close\r\n\r\n", body]
        protocol.transport.write(b"".join(pieces))
        self.response_complete = True
        if not self.keep_alive:
            protocol.transport.close()
        protocol.on_response_complete()
        return request_id


_known: dict[int, tuple[Headers, bytes]] = {}


def _lines(headers: Headers) -> bytes:
    """Headers as they are written. Remembered by the list: the server makes a new one each second, and an answer's is
    mostly the same."""
    known = _known.get(id(headers))
    if known is not None and known[0] is headers:
        return known[1]
    made = b"".join(b"%b: %b\r\n" % one for one in headers)
    if len(_known) > 100:
        _known.clear()
    _known[id(headers)] = headers, made
    return made
