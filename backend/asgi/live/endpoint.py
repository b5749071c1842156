"""`/api/live`: server-sent events (GET) and WebSocket, with resume by the id of the last event."""

from __future__ import annotations

import asyncio
from typing import Final
from urllib.parse import parse_qs

from flask import Flask
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from backend.asgi.limits.request_queue import RequestQueue
from backend.asgi.live import authentication
from backend.asgi.live.authentication import Credentials, Origin
from backend.asgi.live.connections import EventStream, LiveConnection, WebSocketConnection
from backend.asgi.live.hub import Hub
from backend.asgi.live.subscriptions import Batch, Subscription
from backend.asgi.responses import Headers, Receive, Scope, Send, header
from backend.core.config import Settings
from backend.core.errors import AppError, Invalid, TooManyRequests, Unauthorized, Unavailable
from backend.core.logging import get_logger
from backend.services.auth.actor import Actor
from backend.services.live import cursors
from backend.services.live.changes import TOPIC
from backend.services.live.cursors import BadCursor, Snapshot

log = get_logger(__name__)

PATHS: Final = frozenset({"/api/live", "/api/live/"})
HEARTBEAT: Final = 20.0
STALLED: Final = 15.0
"""Seconds that one write may take before the connection is broken."""
RECHECK: Final = 45.0
MAX_COUNT: Final = 4000
MAX_OF_A_PERSON: Final = 200
_LOOK: Final = 5.0
_MAX_TOPICS: Final = 20


class Live:
    """Serves the live connections of a process."""

    def __init__(self, app: Flask, queue: RequestQueue, settings: Settings) -> None:
        self._app = app
        self._queue = queue
        self._origins = frozenset(origin.rstrip("/") for origin in settings.cors_origins)
        self._hub: Hub | None = None
        self._connections: set[LiveConnection] = set()
        self._checked: dict[Subscription, tuple[float, Credentials]] = {}
        self._checking: asyncio.Task[None] | None = None
        self._stopping = False

    def count(self) -> int:
        """How many connections are open."""
        return len(self._connections)

    async def http(self, scope: Scope, receive: Receive, send: Send) -> None:
        """A stream of server-sent events."""
        await self._serve(scope, EventStream(receive, send, self._allow_origin(scope)))

    async def websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        """A WebSocket."""
        await receive()  # websocket.connect
        await self._serve(scope, WebSocketConnection(receive, send, scope.get("extensions") or {}))

    async def stop(self, seconds: float = 1.0) -> None:
        """Closes every connection with a reason, and breaks after `seconds` those that do not take it."""
        self._stopping = True
        if self._checking is not None:
            self._checking.cancel()
        if self._hub is not None:
            self._hub.end_all("server_stopping")
            deadline = asyncio.get_running_loop().time() + seconds
            while self._connections and asyncio.get_running_loop().time() < deadline:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
            for connection in tuple(self._connections):
                connection.abort()
            self._hub.stop()

    # --- one connection ---

    async def _serve(self, scope: Scope, connection: LiveConnection) -> None:
        try:
            subscription = await self._subscription(scope)
        except AppError as error:
            await connection.refuse(error)
            return
        self._connections.add(connection)
        disconnected = asyncio.ensure_future(connection.until_gone())
        disconnected.add_done_callback(lambda _: subscription.end("gone"))
        try:
            await self._talk(connection, subscription)
        except TimeoutError:
            log.info("live_client_stalled", user_id=subscription.actor.user_id)
            connection.abort()
        finally:
            disconnected.cancel()
            self._connections.discard(connection)
            self._checked.pop(subscription, None)
            if self._hub is not None:
                self._hub.unsubscribe(subscription)

    async def _talk(self, connection: LiveConnection, subscription: Subscription) -> None:
        hub = self._hub
        assert hub is not None
        async with asyncio.timeout(STALLED):
            await connection.open()
        hub.subscribe(subscription)
        while True:
            batch = await subscription.next(HEARTBEAT)
            if subscription.ending is not None:
                break
            if batch is None:
                # Everything up to the hub's cursor was handed over and sent.
                batch = Batch("alive", hub.cursor if subscription.ready else None)
            async with asyncio.timeout(STALLED):
                await connection.write(batch)
        if subscription.ending != "gone":
            async with asyncio.timeout(STALLED):
                await connection.close(subscription.ending)

    async def _subscription(self, scope: Scope) -> Subscription:
        """The subscription of the authenticated person to the topics asked for. Raises AppError."""
        if self._stopping:
            raise Unavailable("server_stopping", retry_after=1)
        if len(self._connections) >= MAX_COUNT:
            raise Unavailable("too_many_connections", "Too many live connections here.", retry_after=5)
        topics, since, lost = _wanted(scope)
        credentials = _credentials(scope)
        actor = await self._identify(credentials)
        if self._hub is None:
            self._hub = Hub(self._app.app_context)
            self._checking = asyncio.ensure_future(self._recheck())
        if self._hub.of_person(actor.user_id) >= MAX_OF_A_PERSON:
            raise TooManyRequests("too_many_connections", "Too many live connections of one person.", retry_after=5)
        subscription = Subscription(actor, topics, since, lost)
        self._checked[subscription] = (asyncio.get_running_loop().time(), credentials)
        return subscription

    async def _identify(self, credentials: Credentials, *, count: bool = True) -> Actor:
        caller = hash(credentials.authorization or credentials.cookie)
        try:
            actor: Actor = await self._queue.run(
                caller, lambda: authentication.identify(self._app, credentials, count=count)
            )
        except (DBAPIError, PoolTimeout) as error:
            log.warning("database_away", error=type(error).__name__)
            raise Unavailable("database_unavailable", retry_after=2) from None
        return actor

    async def _recheck(self) -> None:
        """Ends the connections whose credentials have ended since, within a minute."""
        while True:
            await asyncio.sleep(_LOOK)
            try:
                await self._recheck_due()
            except Exception as error:
                # No credentials would be checked any more if this ended.
                log.exception("recheck_defect", error=type(error).__name__)

    async def _recheck_due(self) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time() - RECHECK
        verdicts: dict[Credentials, Actor | str | None] = {}
        for subscription, (checked, credentials) in tuple(self._checked.items()):
            if checked > due:
                continue
            if credentials not in verdicts:
                verdicts[credentials] = await self._actor_of(credentials)
            verdict = verdicts[credentials]
            if isinstance(verdict, str):
                subscription.end(verdict)
            elif verdict is not None and subscription in self._checked:
                subscription.actor = verdict
                self._checked[subscription] = (loop.time(), credentials)

    async def _actor_of(self, credentials: Credentials) -> Actor | str | None:
        """The person as they are now, or the reason to end the connection; None while the database cannot be asked."""
        try:
            return await self._identify(credentials, count=False)
        except Unauthorized as error:
            return "token_expired" if error.code == "token_expired" else "signed_out"
        except Unavailable:
            return None
        except AppError:
            return "forbidden"

    def _allow_origin(self, scope: Scope) -> Headers:
        """Allows pages of other origins that hold a token; never with cookies."""
        origin = header(scope, b"origin")
        if not self._origins or origin is None:
            return []
        if "*" not in self._origins and origin.decode("latin-1") not in self._origins:
            return [(b"vary", b"Origin")]
        return [(b"vary", b"Origin"), (b"access-control-allow-origin", origin)]


def _wanted(scope: Scope) -> tuple[frozenset[str], Snapshot | None, bool]:
    """The topics, the cursor, and whether a cursor was given that cannot be read. Raises Invalid."""
    try:
        query = parse_qs(scope["query_string"].decode("latin-1"), max_num_fields=50)
    except ValueError:
        raise Invalid("bad_topics", "The query cannot be read.") from None
    topics = [topic for value in query.get("topics", []) for topic in value.split(",") if topic]
    if len(topics) > _MAX_TOPICS or any(TOPIC.fullmatch(topic) is None for topic in topics):
        raise Invalid("bad_topics", "topics is a list of names, separated by commas.")
    last_event_id = header(scope, b"last-event-id")
    cursor = last_event_id.decode("latin-1") if last_event_id is not None else (query.get("last_event_id") or [""])[-1]
    if not cursor:
        return frozenset(topics), None, False
    try:
        return frozenset(topics), cursors.decode(cursor), False
    except BadCursor:
        # Perhaps of another version of this program: an error would end a browser's attempts for good.
        return frozenset(topics), None, True


def _credentials(scope: Scope) -> Credentials:
    def text(name: bytes) -> str | None:
        value = header(scope, name)
        return None if value is None else value.decode("latin-1")

    origin = Origin(text(b"origin"), text(b"sec-fetch-site"), text(b"host") or "", scope["type"] == "websocket")
    return Credentials(text(b"authorization"), text(b"cookie"), origin)
