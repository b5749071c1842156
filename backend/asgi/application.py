"""The ASGI application: who serves which request, and how the process begins and ends."""

from __future__ import annotations

import threading

from flask import Flask

from backend.asgi.limits import memory, open_files
from backend.asgi.limits.admission import Admission
from backend.asgi.limits.head_limits import HeadTooLarge, is_too_large
from backend.asgi.limits.request_queue import RequestQueue
from backend.asgi.live import authentication
from backend.asgi.live.authentication import read_cookies_with
from backend.asgi.live.connections import WebSocketConnection
from backend.asgi.live.endpoint import PATHS, Live
from backend.asgi.request_bodies import Bodies
from backend.asgi.responses import Receive, Scope, Send, header, refuse
from backend.asgi.shutdown import StopSignals, tie_to_parent
from backend.asgi.webhooks.endpoint import Webhooks
from backend.asgi.wsgi_bridge.bridge import BodyRule, Bridge
from backend.core import config, process_registry
from backend.core.errors import NotFound
from backend.http import guards
from backend.http.console.kit import sessions

_MAX_FINISH_SECONDS = 0.8
_LANE_THREADS = 2
_LOOK_UP_THREADS = 3


class AsgiApplication:
    """Serves live events and webhooks itself, and hands everything else to Flask."""

    def __init__(self, app: Flask, *, body_seconds: float = 20.0) -> None:
        settings = config.get()
        read_cookies_with(sessions.caller_by)
        self.admission = Admission(open_files.max_connections(open_files.limit()))
        self._app = app
        queue, lane = RequestQueue(settings.web_threads), RequestQueue(_LANE_THREADS)
        self.bodies = Bodies(body_seconds)
        self.live = Live(app, queue, settings)
        self.webhooks = Webhooks(app, RequestQueue(_LOOK_UP_THREADS), self.bodies)
        self._bridge = Bridge(app, queue, lane, self.bodies, self._body_rule)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI 3."""
        kind = scope["type"]
        if kind == "http":
            if is_too_large(scope.get("raw_path") or b"", scope["headers"]):
                # Only with a server that has let it through; ours has counted it while it came.
                await refuse(send, HeadTooLarge(), close=True)
            elif scope["path"] in PATHS and scope["method"] == "GET":
                await self.live.http(scope, receive, send)
            elif self.webhooks.takes(scope):
                await self.webhooks(scope, receive, send)
            else:
                await self._bridge(scope, receive, send)
        elif kind == "websocket":
            if scope["path"] in PATHS:
                await self.live.websocket(scope, receive, send)
            else:
                await receive()
                await WebSocketConnection(receive, send, scope.get("extensions") or {}).refuse(NotFound())
        elif kind == "lifespan":
            await self._live_on(receive, send)

    async def stop(self) -> None:
        """Ends what would keep a server from stopping: streams, and bodies that are half sent."""
        self.bodies.shorten_waits(_MAX_FINISH_SECONDS)
        await self.live.stop()

    def _body_rule(self, scope: Scope) -> BodyRule:
        """The body rule of the view that the request is for; an address without a view takes no body."""
        method = scope["method"]
        guard = guards.guard_for(self._app, method, scope["path"])
        if guard is None:
            return BodyRule(0)
        most = guard.max_body if guard.max_body is not None else self._app.config["MAX_CONTENT_LENGTH"]
        if guard.is_public:
            return BodyRule(most)
        authorization, cookie = header(scope, b"authorization"), header(scope, b"cookie")
        return BodyRule(
            most, lambda: authentication.may_send(self._app, guard, method, _text(authorization), _text(cookie))
        )

    async def _live_on(self, receive: Receive, send: Send) -> None:
        reporter, trimmer = process_registry.Reporter("web", self.live.count), memory.Trimmer()
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                tie_to_parent()
                if threading.current_thread() is threading.main_thread():
                    StopSignals(self.stop).install()
                reporter.start()
                trimmer.start()
                await send({"type": "lifespan.startup.complete"})
            else:
                reporter.stop()
                trimmer.stop()
                await self.stop()
                await send({"type": "lifespan.shutdown.complete"})
                return


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode("latin-1")
