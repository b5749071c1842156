"""Traffic that never gives up: what was not answered is sent again, the way well-behaved callers do."""

from __future__ import annotations

import http.client
import json
import threading
import time
from typing import Any

from benchmarks.stage import WEBHOOK_SECRET

_PATIENCE = 120.0


class Traffic(threading.Thread):
    """Begins one thing every `every` seconds, each in a thread of its own, so that none waits for another."""

    def __init__(self, port: int, every: float) -> None:
        super().__init__(daemon=True)
        self._port = port
        self._every = every
        self._stop_event = threading.Event()
        self._threads: list[threading.Thread] = []

    def run(self) -> None:
        """Begins them until `stop`."""
        begun, number = time.monotonic(), 0
        while not self._stop_event.wait(max(0.0, begun + number * self._every - time.monotonic())):
            thread = threading.Thread(target=self._send, args=(number,), daemon=True)
            thread.start()
            self._threads = [started for started in self._threads if started.is_alive()] + [thread]
            number += 1

    def stop(self) -> None:
        """Begins no more and waits for what is under way."""
        self._stop_event.set()
        self.join()
        for thread in self._threads:
            thread.join(_PATIENCE)

    def _send(self, number: int) -> None:
        raise NotImplementedError

    def _insist(self, path: str, body: dict[str, Any], headers: dict[str, str], wanted: int) -> None:
        """Sends until it is answered with `wanted`. Raises RuntimeError when that takes too long."""
        until, pause, seen = time.monotonic() + _PATIENCE, 0.1, "nothing"
        while time.monotonic() < until:
            try:
                connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=10)
                connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"} | headers)
                answer = connection.getresponse()
                content = answer.read()
                connection.close()
                if answer.status == wanted:
                    return
                seen = f"{answer.status} {content[:200]!r}"
            except (OSError, http.client.HTTPException) as error:
                seen = repr(error)
            time.sleep(pause)
            pause = min(1.0, pause * 2)
        raise RuntimeError(f"{path} was not answered with {wanted}: {seen}")


class EventReporter(Traffic):
    """Reports an event to one of `people` in turn; `accepted` has those that were answered, and since when."""

    def __init__(self, port: int, token: str, people: list[int], every: float) -> None:
        super().__init__(port, every)
        self._token = token
        self._people = people
        self.accepted: dict[str, int] = {}

    def _send(self, number: int) -> None:
        name, begun = f"event {number}", time.monotonic_ns()
        data = {"platform": "x", "content": "soak", "error": f"«{name}»"}
        body = {"type": "post_failure", "user_id": self._people[number % len(self._people)], "data": data}
        headers = {"Authorization": f"Bearer {self._token}", "Idempotency-Key": f"soak-{number}"}
        self._insist("/api/events", body, headers, 202)
        self.accepted[name] = begun


class UpdateSender(Traffic):
    """Delivers updates as Telegram does, until acknowledged: commands of linked people; `sent` counts them, and
    `begun` says when each was first sent, and in which chat."""

    def __init__(self, port: int, chats: list[int], every: float) -> None:
        super().__init__(port, every)
        self._chats = chats
        self.sent = 0
        self.begun: list[tuple[int, int]] = []

    def _send(self, number: int) -> None:
        chat = self._chats[number % len(self._chats)]
        self.begun.append((time.monotonic_ns(), chat))
        person = {"id": chat, "is_bot": False, "first_name": "Sam"}
        message = {
            "message_id": number + 1,
            "date": 1767225600,
            "chat": {"id": chat, "type": "private", "first_name": "Sam"},
            "from": person,
            "text": "/help",
            "entities": [{"type": "bot_command", "offset": 0, "length": 5}],
        }
        headers = {"X-Telegram-Bot-Api-Secret-Token": WEBHOOK_SECRET}
        self._insist("/telegram/webhook", {"update_id": 9_000_000 + number, "message": message}, headers, 200)
        self.sent += 1
