"""A webhook's address: remembers what was posted, and answers as a test decides."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

WITHIN = 60.0


@dataclass(frozen=True)
class Posted:
    """One request."""

    headers: dict[str, str]
    body: bytes

    @property
    def update(self) -> dict[str, Any]:
        """Its body as an update."""
        found: dict[str, Any] = json.loads(self.body)
        return found

    @property
    def text(self) -> str:
        """The text of the message in it."""
        return str(self.update.get("message", {}).get("text", ""))


@dataclass(frozen=True)
class Reply:
    """What the webhook answers."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


class Receiver:
    """Listens while entered. `decide` gives the answer to each request (200 unless set) and may wait for `released`."""

    def __init__(self) -> None:
        self.posted: list[Posted] = []
        self.most_at_once = 0
        self.decide: Callable[[Posted], Reply] = lambda posted: Reply()
        self.content = b""
        """What a GET is answered with."""
        self.released = threading.Event()
        self._here = 0
        self._changed = threading.Condition()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
                reply = receiver._take(Posted(dict(self.headers.items()), body))
                self.send_response(reply.status)
                for name, value in {**reply.headers, "Content-Length": str(len(reply.body))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(reply.body)

            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("Content-Type", "image/png")
                self.send_header("Content-Length", str(len(receiver.content)))
                self.end_headers()
                self.wfile.write(receiver.content)

            def log_message(self, format: str, *args: Any) -> None:
                """Nothing to be printed."""

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request: Any, client_address: Any) -> None:
                """The simulator left: a try that timed out, or the end of a test."""

        self._server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/hook"

    def _take(self, posted: Posted) -> Reply:
        with self._changed:
            self.posted.append(posted)
            self._here += 1
            self.most_at_once = max(self.most_at_once, self._here)
            self._changed.notify_all()
        try:
            return self.decide(posted)
        finally:
            with self._changed:
                self._here -= 1

    def wait_for(self, count: int) -> list[Posted]:
        """The requests, once there are so many. Raises AssertionError when they do not come."""
        with self._changed:
            came = self._changed.wait_for(lambda: len(self.posted) >= count, WITHIN)
            assert came, f"{len(self.posted)} of {count} came"
            return list(self.posted)

    def __enter__(self) -> Receiver:
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.released.set()
        self._server.shutdown()
        self._server.server_close()
