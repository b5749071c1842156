"""Attacks on the web process, for the scenario `attacks`.

A module of this package has `ATTACKS`: a tuple of `Attack`. To add a kind, add a module and name it in `MODULES`.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module

from benchmarks.stage import Stage

MODULES = ("heads", "bodies")


@dataclass(frozen=True)
class Target:
    """What is attacked: the web process, and what the attacker may have."""

    on: Stage
    port: int
    token: str
    """An access token of a workspace of the attacker's own, whose role is admin."""
    quick: bool
    """Small and short: tries the attack."""

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
