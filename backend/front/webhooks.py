"""Webhooks without the way through Flask: the same door, the same store, a third less of a processor.

Only what a provider really sends is taken here: a POST to a webhook's address. Everything else at these addresses goes
to Flask, which answers as it always did (`backend/http/webhooks`).
"""

from __future__ import annotations

import re
import time
import uuid
from typing import Final

import structlog
from flask import Flask
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from backend.channels import registry
from backend.core.database import db, system_scope
from backend.core.errors import AppError, NotFound, TooLarge, Unauthorized, Unavailable
from backend.core.logging import get_logger
from backend.front.answers import PROTECTION, Headers, Receive, RequestTimeout, Scope, Send, answer, error_body, refuse
from backend.front.bodies import Bodies, Gone, TooSlow, declared
from backend.front.threads import Threads, complete
from backend.services import intake, senders

log = get_logger(__name__)

MOST_BYTES: Final = 1024 * 1024
_DEFAULT: Final = frozenset({"/telegram/webhook", "/telegram/webhook/"})
_ANY: Final = re.compile(r"/api/telegram/webhook/([0-9]{1,18})/?")
_TAKEN: Final = b'{"ok":true}\n'
_HEADERS: Final[Headers] = [(b"content-type", b"application/json"), *PROTECTION]


class Webhooks:
    """Takes the updates of the bots."""

    def __init__(self, app: Flask, threads: Threads, bodies: Bodies) -> None:
        self._app = app
        self._threads = threads
        self._bodies = bodies

    def takes(self, scope: Scope) -> bool:
        """Whether this request is a provider's."""
        path: str = scope["path"]
        return (
            path[:5] in ("/tele", "/api/")
            and scope["method"] == "POST"
            and (path in _DEFAULT or _ANY.fullmatch(path) is not None)
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Stores one update and answers 200 once it is committed."""
        raw: bytes | None = None
        announced = declared(scope)
        if announced is None or announced <= MOST_BYTES:
            try:
                body = await self._bodies.read(receive, MOST_BYTES)
            except Gone:
                return
            except TooSlow:
                await refuse(send, RequestTimeout(), close=True)
                return
            if body.whole:
                raw = body.file.read()
            body.file.close()
        else:
            await self._bodies.discard(receive)
        match = _ANY.fullmatch(scope["path"])
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        taken = self._threads.run(self._take, int(match[1]) if match else None, headers, raw)
        status, own, said = await complete(taken)
        await answer(send, status, own, said, close=raw is None)

    def _take(self, bot_id: int | None, headers: dict[str, str], raw: bytes | None) -> tuple[int, Headers, bytes]:
        started = time.perf_counter()
        request_id = uuid.uuid4().hex
        structlog.contextvars.bind_contextvars(request_id=request_id)
        try:
            status, own, said = self._judge(bot_id, headers, raw)
            log.info(
                "request",
                method="POST",
                route="/telegram/webhook" if bot_id is None else "/api/telegram/webhook/<int:bot_id>",
                status=status,
                milliseconds=round((time.perf_counter() - started) * 1000, 1),
            )
        finally:
            structlog.contextvars.unbind_contextvars("request_id")
        return status, [*own, (b"x-request-id", request_id.encode())], said

    def _judge(self, bot_id: int | None, headers: dict[str, str], raw: bytes | None) -> tuple[int, Headers, bytes]:
        with self._app.app_context():
            try:
                with system_scope("the bot's workspace is not known to the provider"):
                    _store(bot_id, headers, raw)
                return 200, _HEADERS, _TAKEN
            except AppError as error:
                db.session.rollback()
                return error_body(error)
            except (OperationalError, InterfaceError, PoolTimeout) as error:
                db.session.rollback()
                log.error("database_unavailable", kind=type(error).__name__, exc_info=error)
                return error_body(Unavailable("database_unavailable", retry_after=2))
            except Exception as error:
                db.session.rollback()
                log.error("unexpected_error", kind=type(error).__name__, exc_info=error)
                return error_body(AppError())


def _store(bot_id: int | None, headers: dict[str, str], raw: bytes | None) -> None:
    """Stores and commits. Raises NotFound, Unauthorized and TooLarge (None: more than is taken)."""
    door = senders.door(bot_id)
    if door is None:
        raise NotFound("no_such_bot", "There is no such bot here.")
    if not registry.get(door.channel).verify(headers, b"", door.secret):
        raise Unauthorized("wrong_secret", "The webhook secret is missing or wrong.")
    if raw is None:
        raise TooLarge("body_too_large", f"An update holds at most {MOST_BYTES} bytes.")
    intake.store(door, raw)
    db.session.commit()
