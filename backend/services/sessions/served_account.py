"""One account under our lease: connected for as long as it holds, kept up to date, and asked what it is to do."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Final, TypeVar

from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from backend.channels.base import Operation, Receipt
from backend.channels.telegram_user import appconfig, differences, operations, server, session_text
from backend.channels.telegram_user.connection import (
    AccountConnection,
    ConnectionLost,
    KeyUnknown,
    NotConnected,
    Refusal,
)
from backend.channels.telegram_user.differences import Peer, Position
from backend.channels.telegram_user.errors import LOGGED_OUT, seconds_of, word_of
from backend.core import config, failpoints
from backend.core.backoff import Backoff
from backend.core.leases import Lease
from backend.core.logging import get_logger
from backend.services.sessions import storing
from backend.services.sessions.storing import LeaseOver, Served

log = get_logger(__name__)
Result = TypeVar("Result")
InThread = Callable[[Callable[[], Any]], Awaitable[Any]]
LOOK_SECONDS: Final = 60.0
"""Between two questions for what happened, without a push."""
PUSH_SECONDS: Final = 2.0
"""After a push: several that come together share a question."""
CONFIG_SECONDS: Final = 6 * 3600.0
REFUSED_SECONDS: Final = 5.0
"""After a refusal that names no time."""
BACKOFF: Final = Backoff(1.0, 60.0)
"""Between two tries to connect."""
_MAX_SLICES: Final = 1000


class ServedAccount:
    """The account of one sender. Belongs to the event loop of the hub; `in_thread` runs a transaction."""

    def __init__(self, lease: Lease, served: Served, version: str, in_thread: InThread) -> None:
        self.lease = lease
        self.served = served
        self._version = version
        self._in_thread = in_thread
        self._position: Position | None = served.position
        self._connection: AccountConnection | None = None
        self._wake = asyncio.Event()
        self._check_due = 0.0
        self._config_at = 0.0
        self._failures = 0
        self.is_ready = False
        """Whether it is connected and may be asked."""
        self.has_lookups = False

    @property
    def connection(self) -> AccountConnection:
        """The connection. Raises NotConnected."""
        if self._connection is None or not self.is_ready:
            raise NotConnected
        return self._connection

    async def run(self, lookups: Callable[[ServedAccount], Awaitable[float | None]]) -> None:
        """Serves the account until it is cancelled, or its session is over. `lookups` asks what is to be looked up and
        returns after how many seconds to call it again."""
        while True:
            try:
                await self._connect()
                self._failures = 0
                await self._stay(lookups)
            except LeaseOver:
                return
            except (Refusal, KeyUnknown) as error:
                if not await self._refused(error):
                    return
            except (NotConnected, ConnectionLost, server.ServerMisconfigured) as error:
                log.info("account_connection_lost", sender_id=self.served.sender_id, error=type(error).__name__)
            except (DBAPIError, PoolTimeout) as error:
                log.warning("database_away", error=type(error).__name__)
            finally:
                await self.close()
            self._failures += 1
            await asyncio.sleep(BACKOFF.seconds(self._failures, self.served.sender_id))

    async def close(self) -> None:
        """Disconnects; nothing is written afterwards."""
        self.is_ready = False
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.disconnect()

    async def perform(self, op: Operation, peer: Peer) -> Receipt:
        """Carries out one operation. Raises the errors of channels, and NewerMessages."""
        try:
            connection = self.connection
        except NotConnected:
            raise operations.not_connected() from None
        receipt = await operations.perform(connection, op, peer, self.served.self_id)
        failpoints.hit("sessions.answered")
        return receipt

    def wake(self, *, has_lookups: bool = False) -> None:
        """Has it look whether there is something to do."""
        self.has_lookups = self.has_lookups or has_lookups
        self._wake.set()

    async def _connect(self) -> None:
        await asyncio.to_thread(server.trust_key, config.get().telegram_mtproto_server)
        connection = AccountConnection(
            session_text.load(self.served.session),
            self.served.api_id,
            device=self.served.device,
            version=self._version,
            may_write=lambda: self.lease.holds(),
            on_push=self._on_push,
        )
        self._connection = connection
        failpoints.hit("sessions.before_connect")
        await connection.connect()
        epoch = self.lease.epoch
        await self._in_thread(lambda: storing.connected(self.served.sender_id, epoch))
        self.is_ready = True
        self._check_due = self._config_at = 0.0

    async def _stay(self, lookups: Callable[[ServedAccount], Awaitable[float | None]]) -> None:
        """Does what is due until the connection breaks."""
        while True:
            self._wake.clear()
            connection, now = self.connection, time.monotonic()
            if not connection.is_connected:
                raise ConnectionLost("closed")
            if now >= self._check_due:
                self._check_due = now + LOOK_SECONDS
                pause = await self._unless_refused(self.catch_up(), LOOK_SECONDS)
                # A push may have come meanwhile: what it announced is perhaps not in the answer.
                self._check_due = min(self._check_due, now + pause)
            if now >= self._config_at:
                self._config_at = now + await self._unless_refused(self._check_config(connection), CONFIG_SECONDS)
            again = await lookups(self) if self.has_lookups else None
            self.has_lookups = again is not None
            wait = min(self._check_due - time.monotonic(), 5.0 if again is None else again)
            await _until(self._wake, max(0.05, wait))

    async def catch_up(self) -> None:
        """Fetches and stores what happened since the position, slice by slice."""
        sender_id, epoch = self.served.sender_id, self.lease.epoch
        if self._position is None:
            position = await differences.state(self.connection)
            await self._store(differences.Difference(differences.Projected(), position, is_last=True))
            return
        for _ in range(_MAX_SLICES):
            difference = await differences.since(self.connection, self._position, self.served.self_id)
            await self._date_reads(difference.projected)
            failpoints.hit("sessions.fetched_not_stored")
            if difference.too_long:
                known = await self._in_thread(lambda: storing.known_peers(sender_id))
                projected = await differences.look(self.connection, known, self.served.self_id)
                difference = differences.Difference(projected, difference.position, is_last=False)
            await self._store(difference)
            if difference.is_last:
                return
        log.warning("account_never_up_to_date", sender_id=sender_id, epoch=epoch)

    async def _date_reads(self, projected: differences.Projected) -> None:
        """Asks when people read whom the account knows, where somebody did."""
        readers = {update["chat"] for update in projected.updates if update["kind"] == "read"}
        if readers:
            peers = await self._in_thread(lambda: storing.peers_among(self.served.sender_id, readers))
            await differences.date_reads(self.connection, projected, peers)

    async def _check_config(self, connection: AccountConnection) -> None:
        """Keeps what Telegram's configuration says of the account."""
        freeze = await appconfig.freeze(connection)
        await self._in_thread(partial(storing.note_freeze, self.served.sender_id, freeze))

    async def _unless_refused(self, work: Awaitable[None], pause: float) -> float:
        """Does the work; returns after how many seconds to do it again: `pause`, or what a refusal asks for. A refusal
        for which there is no session any more is raised."""
        try:
            await work
        except Refusal as error:
            if word_of(error) in LOGGED_OUT:
                raise
            log.warning("account_not_caught_up", sender_id=self.served.sender_id, word=word_of(error))
            return seconds_of(error) or REFUSED_SECONDS
        return pause

    async def _store(self, difference: differences.Difference) -> None:
        sender_id, epoch = self.served.sender_id, self.lease.epoch
        await self._in_thread(
            lambda: storing.store(
                sender_id, epoch, difference.projected, difference.position, is_last=difference.is_last
            )
        )
        self._position = difference.position
        failpoints.hit("sessions.stored")

    async def _refused(self, error: Refusal | KeyUnknown) -> bool:
        """Notes why the account cannot be served; whether to try again later."""
        sender_id = self.served.sender_id
        word = "AUTH_KEY_UNREGISTERED" if isinstance(error, KeyUnknown) else word_of(error)
        log.info("account_refused", sender_id=sender_id, word=word)
        if (code := LOGGED_OUT.get(word)) is not None:
            await self._in_thread(lambda: storing.signal(sender_id, code))
            return False
        if not isinstance(error, KeyUnknown) and (seconds := seconds_of(error)) is not None:
            await asyncio.sleep(min(seconds, 3600.0))
        return True

    def _on_push(self, update: Any) -> None:
        self._check_due = min(self._check_due, time.monotonic() + PUSH_SECONDS)
        asyncio.get_running_loop().call_later(PUSH_SECONDS, self._wake.set)


async def _until(event: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return
