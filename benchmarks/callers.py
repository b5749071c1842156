"""The other callers during an attack: `python -m benchmarks.callers` asks and notes how long each waits.

A process of its own, so that it does not wait for the attacker. It reads a plan as JSON from the first line of standard
input, and says what it found when that closes.
"""

from __future__ import annotations

import http.client
import itertools
import json
import sys
import threading
import time
from typing import Any

_PAUSE = 0.05
_PATIENCE = 30.0


class Caller(threading.Thread):
    """Asks again and again; every second time on a connection of its own."""

    def __init__(self, name: str, port: int, method: str, path: str, headers: dict[str, str]) -> None:
        super().__init__(name=name, daemon=True)
        self._port, self._method, self._path, self._headers = port, method, path, headers
        self.stop = threading.Event()
        self.longest = 0.0
        self.count = 0
        self.failed: list[str] = []

    def run(self) -> None:
        """See the class."""
        kept = self._connection()
        for number in itertools.count(1):
            if self.stop.wait(_PAUSE):
                return
            connection = kept if number % 2 else self._connection()
            begun = time.monotonic()
            try:
                connection.request(self._method, self._path, self._body(number), self._headers)
                answer = connection.getresponse()
                answer.read()
                if answer.status not in (200, 202):
                    self.failed.append(str(answer.status))
            except (OSError, http.client.HTTPException) as error:
                self.failed.append(type(error).__name__)
                if connection is kept:
                    kept = self._connection()
            self.longest = max(self.longest, time.monotonic() - begun)
            self.count += 1
            if connection is not kept:
                connection.close()

    def _connection(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self._port, timeout=_PATIENCE)

    def _body(self, number: int) -> bytes | None:
        if self._method == "GET":
            return None
        message = {"message_id": number, "date": 1, "chat": {"id": 7, "type": "private"}, "text": "hello"}
        return json.dumps({"update_id": int(time.time() * 1000), "message": message}).encode()


def main() -> None:
    """The command."""
    plan: dict[str, Any] = json.loads(sys.stdin.readline())
    port = int(plan["port"])
    bearer = {"Authorization": f"Bearer {plan['token']}"}
    secret = {"X-Telegram-Bot-Api-Secret-Token": plan["secret"], "Content-Type": "application/json"}
    callers = [
        Caller("api", port, "GET", "/api/alerts", bearer),
        Caller("webhook", port, "POST", "/telegram/webhook", secret),
        Caller("health", port, "GET", "/health", {}),
    ]
    for caller in callers:
        caller.start()
    sys.stdin.read()
    for caller in callers:
        caller.stop.set()
    answers = {}
    for caller in callers:
        caller.join(_PATIENCE + 5)
        answers[caller.name] = {
            "longest_ms": caller.longest * 1000,
            "count": caller.count,
            "failed": caller.failed[:20],
        }
    print(json.dumps(answers))


if __name__ == "__main__":
    main()
