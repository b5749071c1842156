"""A connection to Telegram for one session: our own handling of time-outs, breaks and waits around Telethon's sender.

Nothing reconnects by itself, nothing waits inside, nothing is sent a second time: that is decided under the lease of
the account. A request that is not answered in time costs the whole connection, because a sender that goes on would
still write it. All of it belongs to one event loop.
"""

from __future__ import annotations

import asyncio
import logging
import platform
import secrets
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

from telethon.crypto import AuthKey
from telethon.errors import RPCError
from telethon.network import ConnectionTcpFull, MTProtoSender
from telethon.network.connection.tcpfull import FullPacketCodec
from telethon.tl import functions
from telethon.tl.alltlobjects import LAYER

from backend.channels.telegram_user.session_text import SessionData

CONNECT_SECONDS: Final = 10.0
REQUEST_SECONDS: Final = 15.0
PING_EVERY: Final = 20.0
DISCONNECT_AFTER: Final = 50
"""Seconds after a ping in which the server closes the connection where no other came: less than a lease lasts without
being renewed. Of a process that stands still, with its socket open, nothing is left when its successor connects."""
_LANGUAGE: Final = "en"
_CODE_INVALID_KEY: Final = 404


Refusal = RPCError
"""Telegram's refusal of a request; `errors` says what it means."""


class NotConnected(Exception):
    """There is no connection: certainly nothing was written."""


class ConnectionLost(Exception):
    """The connection broke, or was given up, while a request was under way: perhaps it was carried out."""


class KeyUnknown(Exception):
    """The server does not know the session's key: the account has to be connected again."""


class _Loggers(dict[str, logging.Logger]):
    """The library's loggers. They are quiet: what they say of a request may hold words of messages."""

    def __missing__(self, name: str) -> logging.Logger:
        quiet = logging.getLogger(f"switchboard.mtproto.{name}")
        quiet.setLevel(logging.CRITICAL)
        self[name] = quiet
        return quiet


class AccountConnection:
    """The connection of one session. `may_write` is asked right before anything is written to the socket; `on_push`
    is called when the server says that there is something new."""

    def __init__(
        self,
        session: SessionData,
        api_id: int,
        *,
        device: str,
        version: str,
        may_write: Callable[[], bool] = lambda: True,
        on_push: Callable[[Any], None] = lambda update: None,
    ) -> None:
        self.session = session
        self._api_id = api_id
        self._device = device
        self._version = version
        self._may_write = may_write
        self._on_push = on_push
        self._sender: MTProtoSender | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._closing = asyncio.Lock()
        self.config: Any = None
        """What the server said of itself: its data centers."""

    @property
    def is_connected(self) -> bool:
        """Whether requests can be made."""
        return self._sender is not None and bool(self._sender.is_connected())

    async def connect(self) -> None:
        """Connects and introduces itself. Raises ConnectionLost, KeyUnknown, and RPCError for a refusal."""
        pushes: asyncio.Queue[Any] = asyncio.Queue()
        self._sender = MTProtoSender(
            AuthKey(self.session.key),
            loggers=_Loggers(),
            retries=0,
            delay=0,
            auto_reconnect=False,
            connect_timeout=CONNECT_SECONDS,
            updates_queue=pushes,
        )
        introduction = functions.InitConnectionRequest(
            api_id=self._api_id,
            device_model=self._device,
            system_version=platform.platform(terse=True)[:60],
            app_version=self._version,
            lang_code=_LANGUAGE,
            system_lang_code=_LANGUAGE,
            lang_pack="",
            query=functions.help.GetConfigRequest(),
        )
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                await self._sender.connect(self._transport())
        except (OSError, TimeoutError, asyncio.IncompleteReadError, BufferError) as error:
            await self.disconnect()
            raise _key_or_lost(error) from None
        except BaseException:
            await self.disconnect()
            raise
        self.session = SessionData(self.session.dc, self.session.host, self.session.port, self._sender.auth_key.key)
        try:
            self.config = await self.call(functions.InvokeWithLayerRequest(LAYER, introduction))
        except BaseException:
            await self.disconnect()
            raise
        self._tasks = [asyncio.create_task(self._hear(pushes)), asyncio.create_task(self._keep_alive())]

    async def call(self, request: Any, seconds: float = REQUEST_SECONDS) -> Any:
        """The answer to a request. Raises NotConnected, ConnectionLost, KeyUnknown, or the refusal as RPCError.

        When no answer came in time the connection is closed before the request is given up.
        """
        sender = self._sender
        if sender is None or not sender.is_connected():
            raise NotConnected
        try:
            future = sender.send(request)
        except (ConnectionError, RuntimeError):
            raise NotConnected from None
        try:
            async with asyncio.timeout(seconds):
                return await future
        except TimeoutError:
            await self.disconnect()
            raise ConnectionLost("no answer in time") from None
        except asyncio.CancelledError:
            if (task := asyncio.current_task()) is not None and task.cancelling():
                # We are being stopped ourselves: the request must not be written later.
                await self.disconnect()
                raise
            # A keep-alive that is lost cancels what is under way.
            await self.disconnect()
            raise ConnectionLost("the connection was closed") from None
        except RPCError:
            raise
        except (OSError, asyncio.IncompleteReadError, BufferError, EOFError, ValueError, TypeError) as error:
            await self.disconnect()
            raise _key_or_lost(error) from None
        except Exception as error:  # noqa: BLE001 - the library has no base class for these
            # The library's errors of security and of unknown constructors: the answer cannot be trusted.
            await self.disconnect()
            raise _key_or_lost(error) from None

    async def disconnect(self) -> None:
        """Closes the connection; nothing is written afterwards."""
        async with self._closing:
            sender, self._sender = self._sender, None
            tasks, self._tasks = self._tasks, []
            for task in tasks:
                if task is not asyncio.current_task():
                    task.cancel()
            if sender is not None:
                await asyncio.shield(_close(sender))

    def _transport(self) -> Any:
        may_write = self._may_write

        class Codec(FullPacketCodec):
            """Asks whether writing is allowed right before each packet."""

            def encode_packet(self, data: bytes) -> bytes:
                if not may_write():
                    raise ConnectionError("the lease is over")
                packet: bytes = super().encode_packet(data)
                return packet

        class Transport(ConnectionTcpFull):
            packet_codec = Codec

        return Transport(self.session.host, self.session.port, self.session.dc, loggers=_Loggers())

    async def _hear(self, pushes: asyncio.Queue[Any]) -> None:
        while True:
            self._on_push(await pushes.get())

    async def _keep_alive(self) -> None:
        """Notices a connection that is dead though nobody closed it, and has the server close one that falls silent."""
        while True:
            ping = functions.PingDelayDisconnectRequest(secrets.randbits(62), DISCONNECT_AFTER)
            try:
                await self.call(ping)
            except (NotConnected, ConnectionLost, KeyUnknown):
                return
            await asyncio.sleep(PING_EVERY)


async def _close(sender: MTProtoSender) -> None:
    # Closing must end, whatever state the other side left the connection in.
    with suppress(OSError, TimeoutError, asyncio.IncompleteReadError):
        async with asyncio.timeout(CONNECT_SECONDS):
            await sender.disconnect()


def _key_or_lost(error: BaseException) -> KeyUnknown | ConnectionLost:
    """What an error means that came in place of an answer. The server's answer to an unknown key is the number 404."""
    if type(error).__name__ == "AuthKeyNotFound" or getattr(error, "code", None) == _CODE_INVALID_KEY:
        return KeyUnknown()
    return ConnectionLost(type(error).__name__)
