"""Requests that ask for another protocol (`Upgrade`): all but a websocket's are read as if they did not.

The parser takes everything behind such a head for the other protocol. Left so, the body of a request would be lost and
read as the next request, which a proxy in front has never seen as one.
"""

from __future__ import annotations

from typing import Any

import httptools

from backend.compat.uvicorn import HttpToolsProtocol

_FRAMING = (b"content-length", b"transfer-encoding")


class UpgradeProtocol(HttpToolsProtocol):
    """uvicorn's HTTP protocol with a parser that can begin again. Whoever derives from it parses with `feed`."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._callbacks = _Callbacks(self)
        self.parser = self._callbacks.make_parser()

    def feed(self, data: bytes | memoryview) -> None:
        """Parses a piece."""
        raise NotImplementedError

    def asks_for_websocket(self) -> bool:
        """Whether the head that was read begins a websocket: a GET without a body."""
        framed = any(name in _FRAMING for name, _ in self.headers)
        return bool(self.parser.get_method() == b"GET" and not framed and self._should_upgrade())

    def after_upgrade(self, rest: bytes | memoryview) -> None:
        """Hands the connection to the websocket, or reads the head again without the upgrade, and then the rest."""
        if not self._callbacks.ignoring:
            self.handle_websocket_upgrade()
            return
        parser = self.parser
        lines = [b"%b %b HTTP/%b\r\n" % (parser.get_method(), self.url, parser.get_http_version().encode())]
        lines += [b"%b: %b\r\n" % header for header in self.headers if header[0] != b"upgrade"]
        self.parser = self._callbacks.make_parser()
        # In two pieces: a head that comes in one is not measured.
        self.feed(b"".join(lines))
        self.feed(b"\r\n")
        if rest:
            self.feed(rest)


class _Callbacks:
    """What the parser calls: the protocol's own callbacks, except for a request that is going to be read again."""

    def __init__(self, protocol: UpgradeProtocol) -> None:
        self._protocol = protocol
        self.ignoring = False
        self.on_message_begin = protocol.on_message_begin
        self.on_url = protocol.on_url
        self.on_header = protocol.on_header
        self.on_body = protocol.on_body

    def make_parser(self) -> httptools.HttpRequestParser:
        """A parser as uvicorn makes it."""
        self.ignoring = False
        parser = httptools.HttpRequestParser(self)
        parser.set_dangerous_leniencies(lenient_data_after_close=True)
        return parser

    def on_headers_complete(self) -> None:
        """A head is whole."""
        parser, protocol = self._protocol.parser, self._protocol
        tunnel = parser.get_method() == b"CONNECT"
        self.ignoring = bool(parser.should_upgrade() and not tunnel and not protocol.asks_for_websocket())
        if not self.ignoring:
            protocol.on_headers_complete()

    def on_message_complete(self) -> None:
        """A request is whole."""
        if not self.ignoring:
            self._protocol.on_message_complete()
