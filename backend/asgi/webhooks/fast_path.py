"""Small bodies that came whole and at once, to a webhook target that is remembered and whose headers alone prove the
request: taken without a task for each.

Nearly every update of Telegram is one. What several of them bring in one turn of the loop goes to the acceptor at once,
and their answers come back at once after the commit. Whatever else comes to a webhook goes the ordinary way
(`endpoint`).
"""

from __future__ import annotations

import asyncio
import itertools
import secrets
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol

from backend.asgi.responses import Headers, error_body
from backend.core.errors import Unavailable
from backend.core.logging import get_logger
from backend.services import intake
from backend.services.intake.batcher import Result
from backend.services.senders.webhook_verifier import WebhookTarget

log = get_logger(__name__)

_LOOK_SECONDS: Final = 1.0
_PROCESS: Final = secrets.token_hex(8)
_numbers = itertools.count(1)


class ResponseSink(Protocol):
    """The connection that an answer to an update is written to."""

    route: str
    began: float

    @property
    def answered(self) -> bool:
        """Whether no answer can be written any more."""
        ...

    def answer(self, status: int, headers: Headers, body: bytes) -> str:
        """Writes the answer, while `answered` is False; the request's id."""
        ...


def next_request_id() -> str:
    """32 characters that name a request: this process, and a number."""
    return f"{_PROCESS}{next(_numbers):016x}"


class FastPath:
    """The fast path of one event loop. `judged` makes an answer of the acceptor's result."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        acceptor: intake.Acceptor,
        judged: Callable[[Result], tuple[int, Headers, bytes]],
        seconds: Callable[[], float],
    ) -> None:
        self.loop = loop
        self._acceptor = acceptor
        self._judged = judged
        self._seconds = seconds
        self._gathered: list[intake.PendingUpdate] = []
        self._waiting: deque[ResponseSink] = deque()
        self._looking = False

    def take(self, target: WebhookTarget, raw: bytes, sink: ResponseSink) -> None:
        """Has an update stored and answers `sink` after the commit, or 503 when that does not come in time."""
        if not self._gathered:
            self.loop.call_soon(self._hand_over)
        self._gathered.append(intake.PendingUpdate(target, raw, self._on_stored, sink))
        self._waiting.append(sink)
        if not self._looking:
            self._looking = True
            self.loop.call_later(min(_LOOK_SECONDS, self._seconds()), self._look)

    def _hand_over(self) -> None:
        gathered, self._gathered = self._gathered, []
        self._acceptor.hand_over(gathered)

    def _on_stored(self, results: Sequence[tuple[Any, Result]]) -> None:
        try:
            self.loop.call_soon_threadsafe(self._answer, results)
        except RuntimeError:
            # The loop is closed: the process is about to end, and nobody waits any more.
            return

    def _answer(self, results: Sequence[tuple[ResponseSink, Result]]) -> None:
        lines: dict[tuple[str, int], list[tuple[str, float]]] = {}
        now = time.perf_counter()
        for sink, result in results:
            if sink.answered:
                continue  # it was told that the database is away; the provider repeats it
            status, headers, body = self._judged(result)
            request_id = _write_answer(sink, status, headers, body)
            if request_id is not None:
                lines.setdefault((sink.route, status), []).append((request_id, now - sink.began))
        while self._waiting and self._waiting[0].answered:
            self._waiting.popleft()
        _log(lines)

    def _look(self) -> None:
        """Answers those that have waited too long for their commit."""
        seconds, now = self._seconds(), time.perf_counter()
        while self._waiting and (self._waiting[0].answered or self._waiting[0].began + seconds <= now):
            sink = self._waiting.popleft()
            if not sink.answered:
                request_id = _write_answer(sink, *error_body(Unavailable("database_unavailable", retry_after=2)))
                if request_id is not None:
                    _log({(sink.route, 503): [(request_id, now - sink.began)]})
        self._looking = bool(self._waiting)
        if self._looking:
            self.loop.call_later(min(_LOOK_SECONDS, seconds), self._look)


def _write_answer(sink: ResponseSink, status: int, headers: Headers, body: bytes) -> str | None:
    """Writes one answer and returns the request's id; None after a defect, which must not stop the other answers."""
    try:
        return sink.answer(status, headers, body)
    except Exception as error:
        log.exception("answer_defect", error=type(error).__name__)
        return None


def _log(lines: dict[tuple[str, int], list[tuple[str, float]]]) -> None:
    """A line for the requests that were answered together: a line for each would cost more than the request."""
    for (route, status), requests in lines.items():
        slowest = round(max(seconds for _, seconds in requests) * 1000, 1)
        which = [request_id for request_id, _ in requests]
        named: dict[str, Any] = {"request_id": which[0]} if len(which) == 1 else {"request_ids": which}
        log.info("request", method="POST", route=route, status=status, milliseconds=slowest, **named)
