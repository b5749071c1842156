"""A fast Bot API server in its own process, the judge of every run: it notes what it accepted, and when.

`python -m benchmarks.provider --policy blocking` prints `{"port": …}` and serves until SIGTERM. Each message is judged
when it has arrived, which is `inbound` ms after its bytes did (the way there), and answered `latency` ms after them.
`/control/log?path=…` writes the notes to a file, `/control/reset` forgets them, `/control/set?…` changes options.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import signal
import socket
import sys
import time
from array import array
from collections.abc import Callable, Coroutine
from typing import Any, cast
from urllib.parse import parse_qs, urlsplit

from benchmarks import policies

METHODS = ("sendMessage", "editMessageText", "deleteMessage", "answerCallbackQuery", "other")
JUDGED = frozenset(("sendMessage", "editMessageText"))
_TEXTS = {
    200: b"OK",
    404: b"Not Found",
    429: b"Too Many Requests",
    500: b"Internal Server Error",
    502: b"Bad Gateway",
}
DROPPED = -1
"""The status noted for a message that was accepted and whose answer was never sent."""


class Log:
    """What arrived, in columns that are allocated before a run."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.clear()

    def clear(self) -> None:
        """Forgets everything."""
        self.size = 0
        self.at = array("q", bytes(8 * self.capacity))
        self.bot = array("q", bytes(8 * self.capacity))
        self.chat = array("q", bytes(8 * self.capacity))
        self.message = array("q", bytes(8 * self.capacity))
        self.status = array("h", bytes(2 * self.capacity))
        self.method = array("b", bytes(self.capacity))
        self.texts: list[str] = [""] * self.capacity

    def note(self, at: int, bot: int, chat: int, method: int, status: int, message: int, text: str) -> None:
        """Adds a line; raises IndexError when there is no room, for a run must not be judged by half a log."""
        place = self.size
        self.at[place], self.bot[place], self.chat[place] = at, bot, chat
        self.method[place], self.status[place], self.message[place] = method, status, message
        self.texts[place] = text
        self.size = place + 1

    def write(self, path: str) -> int:
        """Writes the lines to a file as JSON, one each; returns how many."""
        with open(path, "w", encoding="utf-8") as out:
            for i in range(self.size):
                name = METHODS[self.method[i]]
                line = (self.at[i], self.bot[i], self.chat[i], name, self.status[i], self.message[i], self.texts[i])
                out.write(json.dumps(line) + "\n")
        return self.size


class Provider:
    """The state that all connections share."""

    def __init__(self, capacity: int) -> None:
        self.log = Log(capacity)
        self.policy: policies.Policy = policies.Unlimited()
        self.latency = (0.0, 0.0)
        self.inbound = (0.0, 0.0)
        self.faults = 0.0
        self.requests = 0
        self.last_message = 1000
        self.dice = random.Random(7)  # noqa: S311 - the same delays and faults in every run

    def configure(self, options: dict[str, str]) -> None:
        """Takes options given as text: policy, latency and inbound (`ms` or `low-high`), faults (a probability)."""
        if "policy" in options:
            self.policy = policies.named(options["policy"])
        if "latency" in options:
            self.latency = _span(options["latency"])
        if "inbound" in options:
            self.inbound = _span(options["inbound"])
        if "faults" in options:
            self.faults = float(options["faults"])

    def control(self, target: str) -> bytes:
        """Answers a request of the measurement itself."""
        parts = urlsplit(target)
        options = {name: values[0] for name, values in parse_qs(parts.query).items()}
        answer: dict[str, Any] = {"ok": True}
        match parts.path:
            case "/control/log":
                answer["lines"] = self.log.write(options["path"])
            case "/control/reset":
                self.log.clear()
                self.requests = 0
            case "/control/set":
                self.configure(options)
            case "/control/stats":
                answer |= {"requests": self.requests, "lines": self.log.size}
            case _:
                return _answer(404, b'{"ok":false}')
        return _answer(200, json.dumps(answer).encode())


class Connection(asyncio.Protocol):
    """One kept connection; a request is read by hand, because most libraries would cost more than everything else."""

    def __init__(self, provider: Provider) -> None:
        self._provider = provider
        self._buffer = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keeps the transport."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is no subclass

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing more is written."""
        self._transport = None

    def data_received(self, data: bytes) -> None:
        """Takes whole requests out of what has come."""
        self._buffer += data
        while True:
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            head = self._buffer[:end]
            length = _content_length(head)
            whole = end + 4 + length
            if len(self._buffer) < whole:
                return
            body = self._buffer[end + 4 : whole]
            self._buffer = self._buffer[whole:]
            self._request(head[: head.find(b"\r\n")].decode("latin-1").split(" ")[1], body)

    def _request(self, target: str, body: bytes) -> None:
        provider = self._provider
        if target.startswith("/control/"):
            self._write(provider.control(target))
            return
        provider.requests += 1
        words = target.split("/")
        if len(words) < 3 or not words[1].startswith("bot"):
            self._write(_answer(404, b'{"ok":false,"error_code":404,"description":"Not Found"}'))
            return
        bot = int(words[1][3:].partition(":")[0])
        low, high = provider.inbound
        if high > 0:
            delay = provider.dice.uniform(low, high) / 1000
            asyncio.get_running_loop().call_later(delay, self._arrived, bot, words[2], body, delay)
        else:
            self._arrived(bot, words[2], body, 0.0)

    def _arrived(self, bot: int, method: str, body: bytes, spent: float) -> None:
        provider, now = self._provider, time.monotonic_ns()
        fault = provider.faults > 0 and method in JUDGED and provider.dice.random() < provider.faults
        kind = provider.dice.randrange(4) if fault else -1
        if kind == 0:  # lost on its way: nothing was accepted
            self._drop()
            return
        if kind in (1, 2):
            self._write(_answer(500 if kind == 1 else 502, b"<html>bad</html>"))
            return
        answer = self._carry_out(bot, method, body, now, dropped=kind == 3)
        low, high = provider.latency
        rest = (provider.dice.uniform(low, high) if high > low else low) / 1000 - spent
        if kind == 3:
            self._drop()
        elif rest > 0:
            asyncio.get_running_loop().call_later(rest, self._write, answer)
        else:
            self._write(answer)

    def _carry_out(self, bot: int, method: str, body: bytes, now: int, *, dropped: bool) -> bytes:
        provider = self._provider
        if method == "getMe":
            user = {"id": bot, "is_bot": True, "first_name": "Bench", "username": f"bench_{bot}_bot"}
            return _answer(200, json.dumps({"ok": True, "result": user}).encode())
        if method not in JUDGED:
            return _answer(200, b'{"ok":true,"result":true}')
        chat, text, given = _message(body)
        number = METHODS.index(method)
        wait = provider.policy.judge(bot, chat, now)
        if wait:
            provider.log.note(now, bot, chat, number, 429, 0, text)
            answer = '{"ok":false,"error_code":429,"description":"Too Many Requests: retry after %d",'
            return _answer(429, ((answer + '"parameters":{"retry_after":%d}}') % (wait, wait)).encode())
        if method == "sendMessage":
            provider.last_message += 1
            given = provider.last_message
        provider.log.note(now, bot, chat, number, DROPPED if dropped else 200, given, text)
        kind = "supergroup" if chat < 0 else "private"
        result = '{"ok":true,"result":{"message_id":%d,"date":%d,"chat":{"id":%d,"type":"%s"},"text":"-"}}'
        return _answer(200, (result % (given, now // 1_000_000_000 + 1_700_000_000, chat, kind)).encode())

    def _write(self, answer: bytes) -> None:
        if self._transport is not None:
            self._transport.write(answer)

    def _drop(self) -> None:
        if self._transport is not None:
            self._transport.abort()


def _message(body: bytes) -> tuple[int, str, int]:
    """Chat, text and message id of a request in JSON or as a form."""
    if body[:1] == b"{":
        values = json.loads(body)
    else:
        values = {name: given[0] for name, given in parse_qs(body.decode()).items()}
    return int(values.get("chat_id", 0)), str(values.get("text", "")), int(values.get("message_id", 0))


def _content_length(head: bytes) -> int:
    place = head.find(b"ontent-")
    while place >= 0:
        if head[place : place + 15].lower() == b"ontent-length: ":
            end = head.find(b"\r\n", place)
            return int(head[place + 15 : end if end >= 0 else len(head)])
        place = head.find(b"ontent-", place + 1)
    return 0


def _answer(status: int, body: bytes) -> bytes:
    head = b"HTTP/1.1 %d %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    return head % (status, _TEXTS.get(status, b"Error"), len(body)) + body


def _span(text: str) -> tuple[float, float]:
    low, _, high = text.partition("-")
    return float(low), float(high or low)


async def serve(provider: Provider, port: int, ready: Callable[[int], None]) -> None:
    """Serves on loopback until SIGTERM or SIGINT; `ready` is told the port."""
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    server = await loop.create_server(lambda: Connection(provider), "127.0.0.1", port, backlog=1024)
    for listening in server.sockets:
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    ready(server.sockets[0].getsockname()[1])
    await ended.wait()


def run_loop(work: Coroutine[Any, Any, None]) -> None:
    """Runs it on uvloop where that is installed."""
    try:
        import uvloop
    except ImportError:
        asyncio.run(work)
    else:
        uvloop.run(work)


def main() -> None:
    """The program."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--capacity", type=int, default=200_000)
    for name, value in (("policy", "off"), ("latency", "0"), ("inbound", "0"), ("faults", "0")):
        parser.add_argument(f"--{name}", default=value)
    given = vars(parser.parse_args())
    provider = Provider(given.pop("capacity"))
    port = given.pop("port")
    provider.configure(given)

    def ready(number: int) -> None:
        sys.stdout.write(json.dumps({"port": number}) + "\n")
        sys.stdout.flush()

    run_loop(serve(provider, port, ready))


if __name__ == "__main__":
    main()
