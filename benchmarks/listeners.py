"""Clients of live events for a measurement: half server-sent events, half WebSockets.

Reads a plan as a line of JSON, says `ready` when all listen, answers `{"expect": n}` when all have heard that many
changes, and says `ended` when all streams have ended. The id of each change is the moment it was written, in
nanoseconds.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import sys
import time
from typing import Any

from benchmarks.load import percentile


class Client:
    """One connection."""

    def __init__(self) -> None:
        self.heard = 0
        self.warned = False
        self.ended = 0.0
        self.ready = asyncio.Event()
        self.lags: list[float] = []

    def take(self, document: dict[str, Any]) -> None:
        """One document."""
        now = time.time_ns()
        if document["type"] == "ready":
            self.ready.set()
        elif document["type"] == "change":
            self.heard += len(document["changes"])
            self.lags += [(now - change["ids"]["message_id"]) / 1e6 for change in document["changes"]]
        elif document["type"] == "bye":
            self.warned = document["reason"] == "server_stopping"

    async def stream(self, port: int, token: str) -> None:
        """Server-sent events until the end."""
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**20)
        head = (
            f"GET /api/live HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nAccept: text/event-stream\r\n\r\n"
        )
        writer.write(head.encode())
        while line := await reader.readline():
            if line.startswith(b"data: "):
                self.take(json.loads(line[6:]))
            elif line == b"0\r\n":
                break
        self.ended = time.time()
        writer.close()

    async def socket(self, port: int, token: str) -> None:
        """A WebSocket until the end, read by hand: the measurement has no library for it."""
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**20)
        key = base64.b64encode(os.urandom(16)).decode()
        head = f"GET /api/live HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nUpgrade: websocket\r\n"
        writer.write(
            f"{head}Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        await reader.readuntil(b"\r\n\r\n")
        while True:
            try:
                kind, size = await reader.readexactly(2)
                if size == 126:
                    size = int.from_bytes(await reader.readexactly(2), "big")
                elif size == 127:
                    size = int.from_bytes(await reader.readexactly(8), "big")
                payload = await reader.readexactly(size)
            except (asyncio.IncompleteReadError, ConnectionError):
                break
            if kind == 0x81:
                self.take(json.loads(payload))
            elif kind == 0x89:  # a ping wants its payload back, masked
                writer.write(bytes([0x8A, 0x80 | len(payload), 0, 0, 0, 0]) + payload)
            elif kind == 0x88:
                break
        self.ended = time.time()
        writer.close()


async def _main() -> None:
    lines = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    plan = json.loads(await lines.readline())
    clients = [Client() for _ in range(plan["count"])]
    tasks = []
    for number, client in enumerate(clients):
        way = client.stream if number % 2 else client.socket
        tasks.append(asyncio.ensure_future(way(plan["port"], plan["tokens"][number // 2 % len(plan["tokens"])])))
        if number % 50 == 49:
            await asyncio.gather(*(listener.ready.wait() for listener in clients[: number + 1]))
    await asyncio.gather(*(listener.ready.wait() for listener in clients))
    _print("ready")
    asking = asyncio.ensure_future(_answer(lines, clients))
    await asyncio.gather(*tasks)
    asking.cancel()
    _print(
        "ended",
        last=max(listener.ended for listener in clients),
        untold=sum(not listener.warned for listener in clients),
    )


async def _answer(lines: asyncio.StreamReader, clients: list[Client]) -> None:
    while line := await lines.readline():
        expected = json.loads(line)["expect"]
        for _ in range(200):
            if all(client.heard >= expected for client in clients):
                break
            await asyncio.sleep(0.05)
        lags = sorted(lag for client in clients for lag in client.lags)
        missed = sum(max(0, expected - client.heard) for client in clients)
        _print("heard", missed=missed, lag_ms=percentile(lags, 99) if lags else 0.0)


def _print(kind: str, **more: Any) -> None:
    sys.stdout.write(json.dumps({"type": kind, **more}) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(_main())
