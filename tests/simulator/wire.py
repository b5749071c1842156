"""Requests to a simulator below what `TelegramBox` offers, and waiting for what comes by itself."""

from __future__ import annotations

import struct
import time
import zlib
from collections.abc import Callable
from typing import Any, TypeVar

import requests

from tests.support.telegram_box import DEMO_TOKEN, TelegramBox

OTHER_TOKEN = "7000000002:OTHER-simulated-bot-token-not-real"
WITHIN = 60.0

Found = TypeVar("Found")


def exchange(box: TelegramBox, path: str, verb: str = "POST", **details: Any) -> requests.Response:
    """One request on a connection of its own."""
    with requests.Session() as session:
        session.trust_env = False
        return session.request(verb, f"{box.url}{path}", **{"timeout": 30, **details})


def method(name: str, token: str = DEMO_TOKEN) -> str:
    """The path of a method."""
    return f"/bot{token}/{name}"


def refusal(code: int, description: str, **parameters: Any) -> dict[str, Any]:
    """The whole answer that refuses a call."""
    answer: dict[str, Any] = {"ok": False, "error_code": code, "description": description}
    return {**answer, "parameters": parameters} if parameters else answer


def eventually(read: Callable[[], Found], wanted: Callable[[Found], bool], within: float = WITHIN) -> Found:
    """Reads until it is as wanted. Raises AssertionError when it does not become so within so many seconds."""
    deadline = time.monotonic() + within
    while True:
        found = read()
        if wanted(found):
            return found
        assert time.monotonic() < deadline, f"still {found}"


def png(width: int = 2, height: int = 2) -> bytes:
    """A picture: white, of this size."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = zlib.compress(b"".join(b"\0" + b"\xff" * width for _ in range(height)))
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
