"""Webhooks without Flask and, in the ordinary case, without a thread: the same verification, the same acceptor.

Only what a provider really sends is taken here: a POST to a webhook's address. Everything else at these addresses goes
to Flask, which answers as it always did (`backend/http/webhooks`).
"""

from __future__ import annotations

import asyncio
import re
import time
from functools import partial
from typing import Any, Final

from flask import Flask
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from backend.asgi.limits.request_queue import RequestQueue
from backend.asgi.request_bodies import Bodies, Gone, TooSlow, announces, declared
from backend.asgi.responses import PROTECTION, Headers, Receive, RequestTimeout, Scope, Send, answer, error_body
from backend.asgi.webhooks.fast_path import BOT_ROUTE, DEFAULT_ROUTE, FastPath, next_request_id
from backend.core.database import db, system_scope
from backend.core.errors import AppError, NotFound, TooLarge, Unauthorized, Unavailable
from backend.core.logging import get_logger
from backend.http.webhooks.telegram import MAX_BYTES, MAX_SECONDS
from backend.services import intake, senders
from backend.services.intake.batcher import Result
from backend.services.senders.webhook_verifier import WebhookTarget

log = get_logger(__name__)

_DEFAULT: Final = frozenset({"/telegram/webhook", "/telegram/webhook/"})
_ANY: Final = re.compile(r"/api/telegram/webhook/([0-9]{1,18})/?")
_DEFAULT_URLS: Final = frozenset({b"/telegram/webhook", b"/telegram/webhook/"})
_ANY_URL: Final = re.compile(_ANY.pattern.encode())
_ACCEPTED: Final = b'{"ok":true}\n'
_HEADERS: Final[Headers] = [(b"content-type", b"application/json"), *PROTECTION]


class Webhooks:
    """Takes the updates of the bots."""

    def __init__(self, app: Flask, look_ups: RequestQueue, bodies: Bodies) -> None:
        self._app = app
        self._look_ups = look_ups
        self._bodies = bodies
        self._fast_path: FastPath | None = None
        self._looking: dict[int | None, asyncio.Future[Any]] = {}
        with app.app_context():
            self._acceptor = intake.acceptor(db.engine)

    def fast_path(self, loop: asyncio.AbstractEventLoop) -> FastPath:
        """The fast path of this event loop."""
        if self._fast_path is None or self._fast_path.loop is not loop:
            self._fast_path = FastPath(loop, self._acceptor, _judged, lambda: MAX_SECONDS)
        return self._fast_path

    def verified_target(self, url: bytes, headers: Headers) -> WebhookTarget | None:
        """The webhook target of this address if it is remembered and verifies these headers; None otherwise."""
        if url in _DEFAULT_URLS:
            bot_id = None
        else:
            match = _ANY_URL.fullmatch(url)
            if match is None:
                return None
            bot_id = int(match[1])
        target = senders.remembered_target(bot_id)
        if target is None:
            return None
        # Only headers of Telegram's own are verified.
        telegram_headers = {
            name.decode("latin-1"): value.decode("latin-1") for name, value in headers if name.startswith(b"x-telegram")
        }
        return target if target.verify(telegram_headers) else None

    def takes(self, scope: Scope) -> bool:
        """Whether this request is a webhook call of a provider."""
        path: str = scope["path"]
        if scope["method"] != "POST" or not path.startswith(("/telegram/", "/api/telegram/webhook/")):
            return False
        return path in _DEFAULT or _ANY.fullmatch(path) is not None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers 200 once the update is committed. The secret is compared before any of the body is read."""
        started = time.perf_counter()
        match = _ANY.fullmatch(scope["path"])
        bot_id = int(match[1]) if match else None
        close = False
        try:
            await self._accept(*await self._verified(bot_id, scope, receive))
            status, headers, body = _judged(True)
        except Gone:
            return
        except TooSlow:
            status, headers, body = error_body(RequestTimeout())
            close = True
        except _NotRead as refused:
            status, headers, body = _judged(refused.error)
            close = announces(scope) or not await self._bodies.discard(receive)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is judged and logged there
            status, headers, body = _judged(error)
            close = isinstance(error, TooLarge)
        request_id = next_request_id()
        log.info(
            "request",
            method="POST",
            route=DEFAULT_ROUTE if bot_id is None else BOT_ROUTE,
            status=status,
            milliseconds=round((time.perf_counter() - started) * 1000, 1),
            request_id=request_id,
        )
        await answer(send, status, [*headers, (b"x-request-id", request_id.encode())], body, close=close)

    async def _verified(self, bot_id: int | None, scope: Scope, receive: Receive) -> tuple[WebhookTarget, bytes]:
        """The webhook target that verifies the request, and the request's body.

        Raises _NotRead for a request that is refused by its head, TooSlow and Gone, TooLarge and Unavailable.
        """
        try:
            target = senders.remembered_target(bot_id)
            if target is None:
                target = await self._looked_up(bot_id)
            if target is None:
                raise NotFound("no_such_bot", "There is no such bot here.")
            if not target.verify({name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}):
                raise Unauthorized("wrong_secret", "The webhook secret is missing or wrong.")
            announced = declared(scope)
            if announced is not None and announced > MAX_BYTES:
                raise _too_large()
        except Exception as error:  # noqa: BLE001 - whatever it is, it is judged and logged in one place
            raise _NotRead(error) from None
        sender = f"bot:{target.id}"

        async def admit() -> object:
            return sender

        body = await self._bodies.read(receive, MAX_BYTES, admit)
        try:
            if not body.whole:
                raise _too_large()
            return target, body.file.read()
        finally:
            body.release()

    async def _looked_up(self, bot_id: int | None) -> WebhookTarget | None:
        """A webhook target out of the database; requests for the same one wait for one look-up.

        Bots that were never seen here wait apart: anybody can think of their ids.
        """
        looking = self._looking.get(bot_id)
        if looking is None:
            caller = "known bots" if bot_id is None or senders.is_target_known(bot_id) else "unknown bots"
            looking = asyncio.ensure_future(self._look_ups.run(caller, self._look, bot_id))
            self._looking[bot_id] = looking
            looking.add_done_callback(partial(self._forget, bot_id))
        target: WebhookTarget | None = await asyncio.shield(looking)
        return target

    def _forget(self, bot_id: int | None, looking: asyncio.Future[Any]) -> None:
        self._looking.pop(bot_id, None)
        if not looking.cancelled():
            looking.exception()  # perhaps nobody waits any more

    async def _accept(self, target: WebhookTarget, raw: bytes) -> None:
        """Returns once it is committed. Raises Unavailable, and what the database raises."""
        stored = asyncio.wrap_future(self._acceptor.accept(target, raw))
        # Not `wait_for`, which would cancel what the acceptor is about to settle.
        done, _ = await asyncio.wait({stored}, timeout=MAX_SECONDS)
        if not done:
            stored.add_done_callback(lambda late: late.exception())
            raise Unavailable("database_unavailable", retry_after=2)
        stored.result()

    def _look(self, bot_id: int | None) -> WebhookTarget | None:
        with self._app.app_context(), system_scope("the bot's workspace is not known to the provider"):
            try:
                return senders.webhook_target_of(bot_id)
            except BaseException:
                db.session.rollback()
                raise


class _NotRead(Exception):
    """A request was refused before its body was read."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error


def _too_large() -> TooLarge:
    return TooLarge("body_too_large", f"An update holds at most {MAX_BYTES} bytes.")


def _judged(result: Result) -> tuple[int, Headers, bytes]:
    """The answer to an update that was stored, is known, or could not be taken."""
    if isinstance(result, bool):
        return 200, _HEADERS, _ACCEPTED
    if isinstance(result, AppError):
        return error_body(result)
    if isinstance(result, OperationalError | InterfaceError | PoolTimeout):
        log.error("database_unavailable", kind=type(result).__name__, exc_info=result)
        return error_body(Unavailable("database_unavailable", retry_after=2))
    log.error("unexpected_error", kind=type(result).__name__, exc_info=result)
    return error_body(AppError())
