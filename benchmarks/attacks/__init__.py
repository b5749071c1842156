"""Attacks on the web process, for the scenario `attacks`.

A module of this package has `ATTACKS`: a tuple of `Attack`. To add a kind, add a module and name it in `MODULES`.
"""

from __future__ import annotations

import http.client
import json
import socket
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

from benchmarks.stage import Stage

MODULES = ("heads", "bodies", "rules", "passwords", "texts", "providers")
OWN_EMAIL = "mallory@example.com"
OTHER_EMAIL = "ada@example.com"
PASSWORD = "correct horse battery"  # noqa: S105
_ALLOWED = (503, 507)
"""Answers of the 5xx kind that a busy or full server may give."""


@dataclass(frozen=True)
class Target:
    """What is attacked: the web process, and what the attacker may have."""

    on: Stage
    port: int
    token: str
    """An access token of a workspace of the attacker's own, whose role is admin."""
    others: str
    """An access token of somebody in another workspace, who wants to work meanwhile."""
    quick: bool
    """Small and short: tries the attack."""
    wrong: list[str] = field(default_factory=list)
    """Answers that must not be given."""
    slowest: list[float] = field(default_factory=list)
    """How long the attacker's own requests took, in seconds."""

    def dial(self) -> socket.socket:
        """A bare connection."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=10)

    def send(self, first: bytes, piece: bytes = b"", most: int = 0) -> bytes:
        """Sends a beginning, and then pieces until so many bytes are sent or the server has had enough; the beginning
        of what it said."""
        with suppress(OSError), self.dial() as connection:
            connection.sendall(first)
            sent = 0
            with suppress(OSError):
                while sent < most:
                    connection.sendall(piece)
                    sent += len(piece)
            return connection.recv(4096)
        return b""

    def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        token: str | None = None,
        anonymous: bool = False,
        network: str = "127.0.0.1",
        patience: int = 0,
    ) -> dict[str, Any]:
        """One request of the attacker's, from an address of this machine; its answer, where that is an object.

        A server that says that it is busy is asked again up to `patience` times, a second apart.
        """
        headers = {} if anonymous else {"Authorization": f"Bearer {token or self.token}"}
        data = None if body is None else json.dumps(body).encode()
        if data is not None:
            headers["Content-Type"] = "application/json"
        for left in range(patience, -1, -1):
            begun = time.monotonic()
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=90, source_address=(network, 0))
            try:
                connection.request(method, path, data, headers)
                answer = connection.getresponse()
                raw = answer.read()
            except (OSError, http.client.HTTPException) as error:
                self.wrong.append(f"{method} {path}: {type(error).__name__}")
                return {}
            finally:
                connection.close()
            self.slowest.append(time.monotonic() - begun)
            if answer.status not in _ALLOWED or not left:
                break
            time.sleep(1.0)
        if answer.status >= 500 and answer.status not in _ALLOWED:
            self.wrong.append(f"{method} {path}: {answer.status}")
        with suppress(ValueError):
            parsed = json.loads(raw)
            return parsed if isinstance(parsed, dict) else {}
        return {}

    def at_once(self, functions: Iterable[Callable[[], object]]) -> None:
        """Calls all of them in threads of their own, and waits for them."""
        threads = [threading.Thread(target=function, daemon=True) for function in functions]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(120)

    def hold(self, connections: Iterable[socket.socket], seconds: float) -> None:
        """Leaves connections open for a while, and closes them."""
        kept = list(connections)
        time.sleep(seconds / 4 if self.quick else seconds)
        for connection in kept:
            connection.close()


@dataclass(frozen=True)
class Attack:
    """Something that somebody might do. `run` returns when it is over; what it meets on the way is no error."""

    name: str
    run: Callable[[Target], None]


def attacks() -> list[Attack]:
    """All of them."""
    return [attack for name in MODULES for attack in import_module(f"benchmarks.attacks.{name}").ATTACKS]
