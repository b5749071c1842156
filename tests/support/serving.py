"""An ASGI application behind the real server, on a port of its own, and clients that see every byte."""

from __future__ import annotations

import http.client
import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn

SECONDS = 60.0
"""How long a client waits for an answer that is expected at once."""


@contextmanager
def serving(application: Any, **options: Any) -> Iterator[int]:
    """Serves it in a thread with the Procfile's kind of server; the port."""
    options.setdefault("http", "backend.asgi.protocol:Protocol")
    config = uvicorn.Config(
        application,
        host="127.0.0.1",
        port=0,
        loop="uvloop",
        ws="websockets-sansio",
        log_config=None,
        proxy_headers=False,
        server_header=False,
        access_log=False,
        timeout_graceful_shutdown=5,
        **options,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive(), "the server did not start"
            threading.Event().wait(0.01)
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        thread.join(60)
        assert not thread.is_alive()


def ask(port: int, method: str = "GET", path: str = "/", body: Any = None, **headers: str) -> http.client.HTTPResponse:
    """One request; the answer with its body read into `.content`."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=SECONDS)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request(method, path, body=body, headers=named)
    answer = connection.getresponse()
    answer.content = answer.read()  # type: ignore[attr-defined]
    connection.close()
    return answer


def dial(port: int) -> socket.socket:
    """A bare connection."""
    return socket.create_connection(("127.0.0.1", port), timeout=SECONDS)


def say(port: int, *pieces: bytes) -> socket.socket:
    """A connection on which this was sent, piece by piece."""
    connection = dial(port)
    for piece in pieces:
        connection.sendall(piece)
    return connection


def hear(connection: socket.socket) -> bytes:
    """Everything until the other side closes."""
    heard = b""
    while piece := connection.recv(65536):
        heard += piece
    connection.close()
    return heard


class Listener:
    """A client of server-sent events."""

    def __init__(self, port: int, path: str = "/api/live", **headers: str) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=SECONDS)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.connection.request("GET", path, headers={"Accept": "text/event-stream", **named})
        self.answer = self.connection.getresponse()
        self.last_id: str | None = None

    def block(self) -> dict[str, str]:
        """The next block's fields; empty at the end of the stream. Keeps the last id as a browser does."""
        fields: dict[str, str] = {}
        while line := self.answer.readline():
            text = line.decode().rstrip("\n")
            if not text:
                break
            name, _, value = text.partition(":")
            fields[name or "comment"] = value.removeprefix(" ")
        if "id" in fields:
            self.last_id = fields["id"]
        return fields

    def next(self) -> dict[str, Any]:
        """The next event's document; `{}` at the end. Blocks without data are passed over."""
        while block := self.block():
            if "data" in block:
                found: dict[str, Any] = json.loads(block["data"])
                assert block.get("event", "change") == found["type"]
                return found
        return {}

    def until(self, kind: str) -> dict[str, Any]:
        """The next event of this kind."""
        while found := self.next():
            if found["type"] == kind:
                return found
        raise AssertionError(f"the stream ended without {kind}")

    def changes(self, count: int) -> list[dict[str, Any]]:
        """The next `count` changes, from as many events as it takes."""
        found: list[dict[str, Any]] = []
        while len(found) < count:
            found += self.until("change")["changes"]
        return found

    def close(self) -> None:
        """Goes away."""
        self.answer.close()
        self.connection.close()


def eventually(condition: Callable[[], Any], what: str) -> Any:
    """Waits until it holds."""
    pause = threading.Event()
    for _ in range(int(SECONDS / 0.01)):
        if found := condition():
            return found
        pause.wait(0.01)
    raise AssertionError(f"waited for {what}")
