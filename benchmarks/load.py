"""Requests at a server, as fast as it answers (closed loop) or at a fixed rate whatever it does (open loop).

`python -m benchmarks.load` reads a plan as JSON from standard input and prints what came of it. In an open loop a
request's latency counts from the moment it was due, so that a server that stalls is charged for what queued up
meanwhile. A refused or broken request is counted, never repeated.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import socket
import sys
import time
from collections import Counter, deque
from dataclasses import dataclass, field
from typing import Any, cast

from benchmarks.provider import run_loop


@dataclass
class Plan:
    """What to send. In `body`, `%N%` becomes the request's number and `%V%` one of `values` in turn.

    `rate` a second for `seconds`, or (`rate` 0) as fast as it goes over `connections`. `notes` is a file for one line a
    request: number, status, when it was due, sent and answered (monotonic nanoseconds). With `items`, `%ITEMS%` in the
    body becomes so many of `item`, each with a number of its own. `sign_with` is the secret of `X-Hub-Signature-256`.
    """

    port: int
    path: str
    body: str
    connections: int = 32
    seconds: float = 2.0
    rate: float = 0.0
    first: int = 0
    most: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    values: list[str] = field(default_factory=list)
    notes: str = ""
    item: str = ""
    items: int = 0
    sign_with: str = ""


class Connection(asyncio.Protocol):
    """One kept connection with one request at a time."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self._buffer = b""
        self._current: tuple[int, int, int] | None = None
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ready for requests."""
        self.transport = cast(asyncio.Transport, transport)

    def send(self, number: int, due: int) -> None:
        """Sends a request."""
        assert self.transport is not None
        self._current = (number, due, time.monotonic_ns())
        self.transport.write(self._load.request(number))

    def data_received(self, data: bytes) -> None:
        """Waits for the whole answer."""
        self._buffer += data
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        head = self._buffer[:end].lower()
        place = head.find(b"content-length: ")
        if place >= 0:
            stop = head.find(b"\r\n", place)
            length = int(head[place + 16 : stop if stop >= 0 else len(head)])
            if len(self._buffer) < end + 4 + length:
                return
        elif not self._buffer.endswith(b"0\r\n\r\n"):  # chunked
            return
        self._buffer = b""
        self._ended(int(head[9:12]))
        if b"connection: close" not in head:
            self._load.free(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """A request that was under way has failed; another connection takes this one's place."""
        self.transport = None
        if self._current is not None:
            self._ended(0)
        self._load.lost(self)

    def _ended(self, status: int) -> None:
        assert self._current is not None
        number, due, sent = self._current
        self._current = None
        self._load.ended(number, status, due, sent, time.monotonic_ns())


class Load:
    """Carries out a plan."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self._head = "".join(f"{name}: {value}\r\n" for name, value in plan.headers.items())
        self._free: deque[Connection] = deque()
        self._queue: deque[tuple[int, int]] = deque()
        self._next = plan.first
        self._until = 0
        self._open = 0
        self._notes: list[tuple[int, int, int, int, int]] = []
        self._done = asyncio.Event()
        self._connecting: set[asyncio.Task[None]] = set()

    def request(self, number: int) -> bytes:
        """The bytes of a request."""
        body, first = self.plan.body, number * self.plan.items
        if self.plan.items:
            each = range(first, first + self.plan.items)
            body = body.replace("%ITEMS%", ",".join(self._numbered(self.plan.item, place) for place in each))
        else:
            body = self._numbered(body, number)
        raw = body.encode()
        signed = ""
        if self.plan.sign_with:
            digest = hmac.new(self.plan.sign_with.encode(), raw, hashlib.sha256).hexdigest()
            signed = f"X-Hub-Signature-256: sha256={digest}\r\n"
        return (
            f"POST {self.plan.path} HTTP/1.1\r\nHost: 127.0.0.1:{self.plan.port}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(raw)}\r\n{signed}{self._head}\r\n"
        ).encode() + raw

    def _numbered(self, text: str, number: int) -> str:
        text = text.replace("%N%", str(number))
        return text.replace("%V%", self.plan.values[number % len(self.plan.values)]) if self.plan.values else text

    async def run(self) -> dict[str, Any]:
        """Sends everything; returns counts by status, the rate and the latencies in milliseconds."""
        for _ in range(self.plan.connections):
            await self._connect()
        begun = time.monotonic_ns()
        self._until = begun + int(self.plan.seconds * 1e9)
        if self.plan.rate:
            await self._open_loop(begun)
        else:
            while self._free and self._may_send():
                self._send(self._free.popleft(), time.monotonic_ns())
        await asyncio.wait_for(self._done.wait(), self.plan.seconds + 60)
        return self._result(begun)

    async def _connect(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            _, connection = await loop.create_connection(lambda: Connection(self), "127.0.0.1", self.plan.port)
        except OSError:
            await asyncio.sleep(0.05)
            connection = None
        if connection is not None:
            self.free(connection)
        elif not self._done.is_set():
            self._reconnect()

    def _reconnect(self) -> None:
        task = asyncio.ensure_future(self._connect())
        self._connecting.add(task)
        task.add_done_callback(self._connecting.discard)

    async def _open_loop(self, begun: int) -> None:
        total = int(self.plan.rate * self.plan.seconds)
        for i in range(total):
            due = begun + int(i / self.plan.rate * 1e9)
            ahead = (due - time.monotonic_ns()) / 1e9
            if ahead > 0.0005:
                await asyncio.sleep(ahead)
            self._queue.append((self._next, due))
            self._next += 1
            self._give()
        self._until = 0
        self._finish_if_idle()

    def _may_send(self) -> bool:
        if self.plan.most and self._next - self.plan.first >= self.plan.most:
            return False
        return time.monotonic_ns() < self._until

    def _send(self, connection: Connection, due: int) -> None:
        self._open += 1
        self._next += 1
        connection.send(self._next - 1, due)

    def _give(self) -> None:
        while self._queue and self._free:
            number, due = self._queue.popleft()
            self._open += 1
            self._free.popleft().send(number, due)

    def free(self, connection: Connection) -> None:
        """A connection may take the next request."""
        if self.plan.rate:
            self._free.append(connection)
            self._give()
        elif self._until and self._may_send():
            self._send(connection, time.monotonic_ns())
            return
        else:
            self._free.append(connection)
        self._finish_if_idle()

    def lost(self, connection: Connection) -> None:
        """A connection is gone."""
        if connection in self._free:
            self._free.remove(connection)
        if not self._done.is_set():
            self._reconnect()

    def ended(self, number: int, status: int, due: int, sent: int, answered: int) -> None:
        """Notes an answer; status 0 is a broken connection."""
        self._open -= 1
        self._notes.append((number, status, due, sent, answered))

    def _finish_if_idle(self) -> None:
        closed = not self.plan.rate and self._until and not self._may_send()
        opened = self.plan.rate and self._until == 0 and not self._queue
        if (closed or opened) and self._open == 0 and self._notes:
            self._done.set()

    def _result(self, begun: int) -> dict[str, Any]:
        if self.plan.notes:
            with open(self.plan.notes, "w", encoding="ascii") as out:
                out.writelines(json.dumps(note) + "\n" for note in self._notes)
        ended = max(note[4] for note in self._notes)
        latencies = sorted((note[4] - note[2]) / 1e6 for note in self._notes)
        statuses = Counter(note[1] for note in self._notes)
        return {
            "requests": len(self._notes),
            "statuses": {str(status): count for status, count in sorted(statuses.items())},
            "seconds": (ended - begun) / 1e9,
            "rate": len(self._notes) / ((ended - begun) / 1e9),
            "median_ms": percentile(latencies, 50),
            "p99_ms": percentile(latencies, 99),
            "max_ms": latencies[-1],
        }


def percentile(ordered: list[float], percent: float) -> float:
    """The smallest of the ordered values that at least `percent` of them do not exceed."""
    place = max(0, -(-int(len(ordered) * percent * 100) // 10_000) - 1)
    return ordered[min(place, len(ordered) - 1)]


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def _main() -> None:
    plan = Plan(**json.loads(sys.stdin.read()))
    sys.stdout.write(json.dumps(await Load(plan).run()) + "\n")


if __name__ == "__main__":
    run_loop(_main())
