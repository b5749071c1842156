"""The server's HTTP protocol with a short cut for updates (`uvicorn --http backend.asgi.protocol:Protocol`).

A request costs three times as much as an ASGI call with a scope, a task and four messages than as what it is: a few
headers and a small body, in one read or two. One that is not (a body that dawdles or is large, another address, a wrong
secret) goes the ordinary way from its beginning. The application works the same with uvicorn's own protocols, only
slower: they take the place of this one where `WEB_PROTOCOL=uvicorn` says so, or a name is missing that it stands on.
"""

from __future__ import annotations

import asyncio
import time
from asyncio import TimerHandle
from contextlib import suppress
from typing import TYPE_CHECKING, Any, cast

from backend.asgi.limits.head_limits import BETWEEN, LimitedProtocol
from backend.asgi.responses import Headers
from backend.asgi.webhooks.fast_path import next_request_id
from backend.compat import uvicorn
from backend.compat.uvicorn import STATUS_LINE, AutoHTTPProtocol, HttpToolsProtocol
from backend.core import config
from backend.core.logging import get_logger

if TYPE_CHECKING:
    from backend.asgi.webhooks.endpoint import Webhooks
    from backend.services.senders.webhook_verifier import WebhookTarget

log = get_logger(__name__)

_PATIENCE_SECONDS = 0.25
"""For the rest of a body: many clients write it apart from the headers."""
_MAX_HELD = 64 * 1024


class FastProtocol(LimitedProtocol):
    """One connection. `_held` has the pieces of the body of a request that may be taken at once."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        # The server asks whether its logger has handlers; ours, which serve every logger, are not meant by that.
        self.access_log = self.access_log and self.config.access_log
        usual = not self.access_log and self.limit_concurrency is None and not self.root_path
        self._webhooks: Webhooks | None = getattr(self.app, "webhooks", None) if usual else None
        self._held: list[bytes] | None = None
        self._target: tuple[WebhookTarget, str] | None = None
        self._patience: TimerHandle | None = None

    def data_received(self, data: bytes) -> None:
        """Parses what came and starts the timer for the rest of a body that has begun."""
        super().data_received(data)
        if self._held is None:
            return
        if sum(map(len, self._held)) > _MAX_HELD or self.transport.is_closing():
            self._fall_back()
        elif self._patience is None:
            self._patience = self.loop.call_later(_PATIENCE_SECONDS, self._fall_back)

    def connection_lost(self, exc: Exception | None) -> None:
        """Drops the pieces of the body that are held."""
        self._release()
        super().connection_lost(exc)

    def shutdown(self) -> None:
        """Has the server wait for a request that has begun."""
        self._fall_back()
        super().shutdown()

    def on_headers_complete(self) -> None:
        """Waits for the body where the request is an update's."""
        self.check_head()
        self._target = self._find_target()
        if self._target is None:
            self.begin_request()
        else:
            self._held = []

    def on_body(self, body: bytes) -> None:
        """Holds a piece of the body."""
        if self._held is None:
            super().on_body(body)
        else:
            self._body_came = True
            self._held.append(body)

    def on_message_complete(self) -> None:
        """Takes the update."""
        if self._held is None or self._target is None or self._webhooks is None:
            super().on_message_complete()
            return
        self._phase = BETWEEN
        raw = b"".join(self._release())
        target, route = self._target
        request = FastRequest(self, route)
        self.cycle = request  # type: ignore[assignment]
        self._webhooks.fast_path(self.loop).take(target, raw, request)

    def _fall_back(self) -> None:
        if self._held is None:
            return
        held = self._release()
        if not self.transport.is_closing():
            HttpToolsProtocol.on_headers_complete(self)
            for piece in held:
                super().on_body(piece)

    def abandon_body(self) -> None:
        """Takes back the request whose body is not going to be whole."""
        if self._held is None:
            super().abandon_body()
        else:
            self._release()

    def _release(self) -> list[bytes]:
        """Empties the held pieces and returns them."""
        held, self._held = self._held or [], None
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None
        return held

    def _find_target(self) -> tuple[WebhookTarget, str] | None:
        """The webhook target that verifies this request by its head, and its route; None where it cannot be taken at
        once."""
        if self._webhooks is None or (self.cycle is not None and not self.cycle.response_complete):
            return None  # pipelined: it has its turn after the one before
        if self.flow.write_paused:
            return None  # it sends and does not read: the ordinary way waits for it
        parser = self.parser
        if parser.get_method() != b"POST" or parser.get_http_version() != "1.1":
            return None
        if parser.should_upgrade() or self.expect_100_continue:
            return None
        return self._webhooks.verified_target(self.url, cast(Headers, self.scope["headers"]))


class _NoopEvent:
    """An event without a waiter, in place of the one that wakes an ASGI call."""

    def set(self) -> None:
        """Does nothing."""


_NOOP_EVENT = _NoopEvent()


class FastRequest:
    """A request that was taken at once. To the protocol it is a cycle like any other."""

    __slots__ = ("_protocol", "began", "disconnected", "keep_alive", "message_event", "response_complete", "route")

    def __init__(self, protocol: FastProtocol, route: str) -> None:
        self._protocol = protocol
        self.route = route
        self.began = time.perf_counter()
        self.keep_alive = protocol.parser.should_keep_alive()
        self.disconnected = False
        self.response_complete = False
        self.message_event = _NOOP_EVENT

    @property
    def answered(self) -> bool:
        """Whether an answer was written, or the client is gone."""
        # A connection that ends while another request waits behind this one says so only to that one.
        return self.response_complete or self.disconnected or self._protocol.transport.is_closing()

    def answer(self, status: int, headers: Headers, body: bytes) -> str:
        """See `ResponseSink`."""
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
    remembered = _known.get(id(headers))
    if remembered is not None and remembered[0] is headers:
        return remembered[1]
    lines = b"".join(b"%b: %b\r\n" % pair for pair in headers)
    if len(_known) > 100:
        _known.clear()
    _known[id(headers)] = headers, lines
    return lines


def choose() -> type[asyncio.Protocol]:
    """The protocol of this process: ours, unless the setting or a changed library stands against it."""
    if _is_set_to_uvicorn():
        log.warning("web_protocol", protocol="uvicorn", reason="setting")
        return AutoHTTPProtocol
    if missing := uvicorn.missing():
        log.error("web_protocol", protocol="uvicorn", reason="missing_names", names=missing)
        return AutoHTTPProtocol
    return FastProtocol


def _is_set_to_uvicorn() -> bool:
    """Whether the environment asks for uvicorn's protocol. A malformed one is told when the application starts."""
    with suppress(config.ConfigurationError):
        settings = config.load(need=())
        return settings.web_protocol == "uvicorn"
    return False


Protocol = choose()
