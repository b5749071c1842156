"""A small HTTP server for one test: it answers each request with the next step of a script, and remembers them."""

from __future__ import annotations

import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

Step = Callable[["Connection"], bool]
"""Acts on the connection after a whole request was read; returns whether the connection stays open."""


@dataclass(frozen=True)
class Received:
    """One request as it came."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes = field(repr=False)
    connection: int

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Connection:
    """One accepted connection, as a step sees it."""

    sock: socket.socket
    released: threading.Event


def answer(status: int, body: object, headers: Mapping[str, str] | None = None, *, keep: bool = True) -> Step:
    """Answers with JSON (or with bytes as they are)."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()

    def step(connection: Connection) -> bool:
        lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(content)}"]
        lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
        connection.sock.sendall("\r\n".join([*lines, "", ""]).encode() + content)
        return keep

    return step


def ok(result: object) -> Step:
    """A successful Bot API answer."""
    return answer(200, {"ok": True, "result": result})


def refuse(code: int, description: str, **parameters: object) -> Step:
    """A Bot API refusal."""
    body: dict[str, object] = {"ok": False, "error_code": code, "description": description}
    return answer(code, body | ({"parameters": parameters} if parameters else {}))


def drop(connection: Connection) -> bool:
    """Closes without an answer."""
    return False


def truncated(connection: Connection) -> bool:
    """Promises more than it sends, then closes."""
    connection.sock.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{"ok": true, ')
    return False


def hang(connection: Connection) -> bool:
    """Says nothing until the test is over."""
    connection.released.wait()
    return False


class ScriptedServer:
    """Listens on a free port of this machine; `script` is consumed step by step, over all connections."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self._tls = tls
        self.script: list[Step] = []
        self.received: list[Received] = []
        self.connections = 0
        self._released = threading.Event()
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self._listener.getsockname()[1]}"
        self._acceptor = threading.Thread(target=self._accept, daemon=True)
        self._acceptor.start()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._open.append(sock)
            threading.Thread(target=self._serve, args=(sock, self.connections), daemon=True).start()

    def _serve(self, sock: socket.socket, number: int) -> None:
        if self._tls is not None:
            try:
                sock = self._tls.wrap_socket(sock, server_side=True)
            except OSError:
                return  # the client refused the handshake
        connection = Connection(sock, self._released)
        with sock, sock.makefile("rb") as stream:
            try:
                while (request := _read(stream, number)) is not None:
                    with self._lock:
                        self.received.append(request)
                        step = self.script.pop(0) if self.script else answer(500, b"the script is over")
                    if not step(connection):
                        return
            except OSError:
                return  # the client went away, or the test is over

    def close(self) -> None:
        """Ends everything; hanging steps are released."""
        self._released.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for sock in self._open:
            sock.close()
        self._acceptor.join()


def _read(stream: Any, number: int) -> Received | None:
    line = stream.readline().decode("latin-1").split()
    if len(line) != 3 or not line[2].startswith("HTTP/"):
        return None
    headers: dict[str, str] = {}
    while (header := stream.readline().decode("latin-1").strip()) != "":
        name, _, value = header.partition(":")
        headers[name.lower()] = value.strip()
    length = int(headers.get("content-length", 0))
    body = stream.read(length)
    if len(body) < length:
        return None
    return Received(line[0], line[1], headers, body, number)


@contextmanager
def scripted_server(tls: ssl.SSLContext | None = None) -> Iterator[ScriptedServer]:
    """A server that is gone after the block."""
    server = ScriptedServer(tls)
    try:
        yield server
    finally:
        server.close()


def free_port() -> int:
    """A port on which nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
    return port
