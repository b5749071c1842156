"""Webhooks without Flask and, in the ordinary case, without a thread: the same verification, the same acceptor.

Only what a provider really sends is taken here: a POST to a webhook's address. Everything else at these addresses, a
handshake by GET too, goes to Flask (`backend/http/webhooks`).
"""

from __future__ import annotations

import asyncio
import time
from functools import partial
from typing import Any, Final

from flask import Flask
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from backend.asgi.limits.request_queue import RequestQueue, caller_of
from backend.asgi.request_bodies import Bodies, Gone, TooSlow, announces, declared
from backend.asgi.responses import PROTECTION, Headers, Receive, RequestTimeout, Scope, Send, answer, error_body
from backend.asgi.webhooks.addresses import Address, Addresses
from backend.asgi.webhooks.fast_path import FastPath, next_request_id
from backend.channels import registry
from backend.channels.spec import Webhook
from backend.core.database import db, system_scope
from backend.core.errors import AppError, NotFound, TooLarge, Unauthorized, Unavailable
from backend.core.logging import get_logger
from backend.http.webhooks import MAX_SECONDS
from backend.services import intake, senders
from backend.services.intake.batcher import Result
from backend.services.senders.webhook_verifier import WebhookTarget

log = get_logger(__name__)

_ACCEPTED: Final = b'{"ok":true}\n'
_HEADERS: Final[Headers] = [(b"content-type", b"application/json"), *PROTECTION]


class Webhooks:
    """Takes what the providers send."""

    def __init__(self, app: Flask, look_ups: RequestQueue, bodies: Bodies) -> None:
        self._app = app
        self._look_ups = look_ups
        self._bodies = bodies
        self._fast_path: FastPath | None = None
        self._looking: dict[tuple[str, int | None], asyncio.Future[Any]] = {}
        self._addresses = Addresses(registry.specs())
        with app.app_context():
            self._acceptor = intake.acceptor(db.engine)

    def fast_path(self, loop: asyncio.AbstractEventLoop) -> FastPath:
        """The fast path of this event loop."""
        if self._fast_path is None or self._fast_path.loop is not loop:
            self._fast_path = FastPath(loop, self._acceptor, _judged, lambda: MAX_SECONDS)
        return self._fast_path

    def verified_target(self, url: bytes, headers: Headers) -> tuple[WebhookTarget, str] | None:
        """The webhook target of this address and the name of its route, if it is remembered and these headers alone
        prove the request; None otherwise."""
        fast_address = self._addresses.find_fast(url)
        if fast_address is None:
            return None
        address, sender_id = fast_address
        target = senders.remembered_target(address.channel, sender_id)
        if target is None:
            return None
        read = address.webhook.headers
        proof = {
            decoded: value.decode("latin-1") for name, value in headers if (decoded := name.decode("latin-1")) in read
        }
        return (target, address.route) if target.verify(proof) else None

    def takes(self, scope: Scope) -> bool:
        """Whether this request is a webhook call of a provider."""
        return scope["method"] == "POST" and self._addresses.find(scope["path"]) is not None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers 200 once the body is committed. A secret in a header is compared before any of the body is read."""
        started = time.perf_counter()
        address = self._addresses.find(scope["path"])
        assert address is not None  # `takes` has found it
        close = False
        try:
            await self._accept(*await self._proven(address, scope, receive))
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
            route=address.route,
            status=status,
            milliseconds=round((time.perf_counter() - started) * 1000, 1),
            request_id=request_id,
        )
        await answer(send, status, [*headers, (b"x-request-id", request_id.encode())], body, close=close)

    async def _proven(
        self, address: Address, scope: Scope, receive: Receive
    ) -> tuple[WebhookTarget, bytes, senders.Recipients]:
        """The webhook target that a request is for, its body, and whom its items may be for.

        Raises _NotRead for a request that is refused by its head, Unauthorized for a body that is not genuine, TooSlow
        and Gone, TooLarge and Unavailable.
        """
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        webhook = address.webhook
        try:
            target = senders.remembered_target(address.channel, address.sender_id)
            if target is None:
                target = await self._looked_up(address)
            if target is None:
                raise NotFound(*webhook.unknown_sender)
            if webhook.header_only and not target.verify(headers):
                raise Unauthorized("wrong_secret", webhook.wrong_secret)
            announced = declared(scope)
            if announced is not None and announced > webhook.max_bytes:
                raise _too_large(webhook)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is judged and logged in one place
            raise _NotRead(error) from None
        # Until a body has proved itself it is held for whoever sends it, not for the sender it claims to be for.
        sender = f"sender:{target.id}" if webhook.header_only else caller_of(scope)

        async def admit() -> object:
            return sender

        body = await self._bodies.read(receive, webhook.max_bytes, admit)
        try:
            if not body.whole:
                raise _too_large(webhook)
            raw = body.file.read()
        finally:
            body.release()
        if webhook.header_only:
            return target, raw, senders.OWN
        recipients = target.prove(headers, raw)
        if recipients is None:
            raise Unauthorized("wrong_secret", webhook.wrong_secret)
        return target, raw, recipients

    async def _looked_up(self, address: Address) -> WebhookTarget | None:
        """A webhook target out of the database; requests for the same one wait for one look-up.

        Senders that were never seen here wait apart: anybody can think of their ids.
        """
        key = (address.channel, address.sender_id)
        looking = self._looking.get(key)
        if looking is None:
            known = address.sender_id is None or senders.is_target_known(address.channel, address.sender_id)
            caller = "known senders" if known else "unknown senders"
            looking = asyncio.ensure_future(self._look_ups.run(caller, self._look, *key))
            self._looking[key] = looking
            looking.add_done_callback(partial(self._forget, key))
        target: WebhookTarget | None = await asyncio.shield(looking)
        return target

    def _forget(self, key: tuple[str, int | None], looking: asyncio.Future[Any]) -> None:
        self._looking.pop(key, None)
        if not looking.cancelled():
            looking.exception()  # perhaps nobody waits any more

    async def _accept(self, target: WebhookTarget, raw: bytes, recipients: senders.Recipients) -> None:
        """Returns once it is committed. Raises Unavailable, and what the database raises."""
        stored = asyncio.wrap_future(self._acceptor.accept(target, raw, recipients))
        # Not `wait_for`, which would cancel what the acceptor is about to settle.
        done, _ = await asyncio.wait({stored}, timeout=MAX_SECONDS)
        if not done:
            stored.add_done_callback(lambda late: late.exception())
            raise Unavailable("database_unavailable", retry_after=2)
        stored.result()

    def _look(self, channel: str, sender_id: int | None) -> WebhookTarget | None:
        with self._app.app_context(), system_scope("the sender's workspace is not known to the provider"):
            try:
                return senders.webhook_target_of(channel, sender_id)
            except BaseException:
                db.session.rollback()
                raise


class _NotRead(Exception):
    """A request was refused before its body was read."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error


def _too_large(webhook: Webhook) -> TooLarge:
    return TooLarge("body_too_large", webhook.too_large.format(max_bytes=webhook.max_bytes))


def _judged(result: Result) -> tuple[int, Headers, bytes]:
    """The answer to a body that was stored, is known, or could not be taken."""
    if isinstance(result, bool):
        return 200, _HEADERS, _ACCEPTED
    if isinstance(result, AppError):
        return error_body(result)
    if isinstance(result, OperationalError | InterfaceError | PoolTimeout):
        log.error("database_unavailable", kind=type(result).__name__, exc_info=result)
        return error_body(Unavailable("database_unavailable", retry_after=2))
    log.error("unexpected_error", kind=type(result).__name__, exc_info=result)
    return error_body(AppError())
