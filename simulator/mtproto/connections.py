"""A client's connection: packets in, keys made, messages handed to the calls, answers out."""

from __future__ import annotations

import asyncio
import logging
import secrets
import struct
import time
from typing import TYPE_CHECKING, Any

from telethon.errors import TypeNotFoundError
from telethon.extensions import BinaryReader
from telethon.tl import TLRequest, functions, types
from telethon.tl.core import GzipPacked

from simulator.accounts.model import AuthKey
from simulator.mtproto.framing import FramingError, PacketStream
from simulator.mtproto.key_exchange import KeyExchange
from simulator.mtproto.sessions import Session, decrypt, parts, result, serialized

if TYPE_CHECKING:
    from simulator.mtproto.server import Server

log = logging.getLogger("simulator.mtproto")
UNKNOWN_KEY = 404
WRONG_SALT = 48


class Connection:
    """One TCP connection, by `number`. `key_id` is the key it is used with, 0 before the first encrypted packet."""

    def __init__(self, server: Server, stream: PacketStream, number: int) -> None:
        self.server = server
        self.stream = stream
        self.number = number
        self.key_id = 0
        self.sessions: dict[int, Session] = {}
        self._exchange: KeyExchange | None = None
        self._silence: asyncio.TimerHandle | None = None

    async def run(self) -> None:
        """Serve the client until either side ends the connection."""
        try:
            while True:
                packet = await self.stream.read()
                if len(packet) < 20:
                    raise FramingError("a packet is too short")
                if packet[:8] == bytes(8):
                    self._exchange_keys(packet)
                else:
                    self._receive(packet)
                await self.stream.writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError) as end:
            log.debug("connection %s ends: %s", self.number, end)
        except Exception:
            log.exception("connection %s ends unexpectedly", self.number)
            raise
        finally:
            self._expect_pings(None)
            self.stream.writer.close()

    def _expect_pings(self, seconds: float | None) -> None:
        """Ends the connection unless another ping comes within these seconds; None expects none."""
        if self._silence is not None:
            self._silence.cancel()
        self._silence = None if seconds is None else asyncio.get_running_loop().call_later(seconds, self.cut)

    # ---- before there is a key

    def _exchange_keys(self, packet: bytes) -> None:
        request = self._parsed(packet[20:])
        if request is None:
            raise FramingError("a key exchange holds no request")
        self._exchange = self._exchange or KeyExchange(self.server.key)
        body = bytes(self._exchange.answer(request))
        if self._exchange.auth_key is not None:
            self.server.register_key(self._exchange.auth_key)
            self._exchange = None
        number = int(time.time()) << 32 | 1
        self.stream.write(struct.pack("<qqi", 0, number, len(body)) + body)

    # ---- with a key

    def _receive(self, packet: bytes) -> None:
        key = self.server.directory.keys.get(struct.unpack_from("<Q", packet)[0])
        if key is None:
            self.stream.write(struct.pack("<i", -UNKNOWN_KEY))
            raise FramingError("an unknown key")
        opened = decrypt(key, packet)
        session = self.sessions.get(opened.session) or Session(self.stream, key, opened.session)
        if opened.salt != key.salt:
            wrong = types.BadServerSalt(opened.message_id, opened.sequence, WRONG_SALT, key.salt)
            session.put(bytes(wrong), content=False)
            session.flush()
            return
        if opened.session not in self.sessions:
            self.sessions[opened.session] = session
            self.server.register_connection(self, key)
            session.put(bytes(types.NewSessionCreated(opened.message_id, secrets.randbits(62), key.salt)))
        for number, _, body in parts(opened):
            self._handle(session, number, body)
        session.flush()

    def _handle(self, session: Session, number: int, body: bytes) -> None:
        if number in session.seen:
            return
        session.seen.add(number)
        request = self._parsed(body)
        if request is None:
            refused = types.RpcError(400, "INPUT_METHOD_INVALID")
            session.put(result(number, bytes(refused)))
        elif isinstance(request, (functions.PingRequest, functions.PingDelayDisconnectRequest)):
            if isinstance(request, functions.PingDelayDisconnectRequest):
                self._expect_pings(request.disconnect_delay)
            session.put(bytes(types.Pong(number, request.ping_id)), content=False)
        elif isinstance(request, functions.GetFutureSaltsRequest):
            session.put(bytes(types.FutureSalts(number, int(time.time()), [])), content=False)
        elif isinstance(request, functions.DestroySessionRequest):
            session.put(bytes(types.DestroySessionNone(request.session_id)), content=False)
        elif isinstance(request, functions.DestroyAuthKeyRequest):
            self.server.directory.keys.pop(session.key.id, None)
            session.put(bytes(types.DestroyAuthKeyOk()), content=False)
        elif isinstance(request, TLRequest):
            self.server.calls.take(self, session, number, request)

    def _parsed(self, body: bytes) -> Any:
        """The object of a message, None for what cannot be read."""
        try:
            if struct.unpack_from("<I", body)[0] == GzipPacked.CONSTRUCTOR_ID:
                with BinaryReader(body) as reader:
                    body = GzipPacked.read(reader)
            with BinaryReader(body) as reader:
                return reader.tgread_object()
        except (TypeNotFoundError, BufferError, EOFError, OSError, ValueError, struct.error) as error:
            log.warning("a message of connection %s cannot be read: %s", self.number, type(error).__name__)
            return None

    # ---- what the calls do with it

    def answer(self, session: Session, number: int, value: Any, *, long: bool = False) -> None:
        """Answer a call; nobody hears it where the connection has ended."""
        if not self.is_open:
            return
        session.put(result(number, serialized(value, long=long)))
        session.flush()

    def acknowledge(self, session: Session, number: int) -> None:
        """Say that a call came, and no more."""
        session.put(bytes(types.MsgsAck([number])), content=False)
        session.flush()

    def cut(self) -> None:
        """End the connection at once."""
        self.stream.abort()

    @property
    def is_open(self) -> bool:
        """False once either side has ended it."""
        return self.stream.is_open


def serves(connection: Connection, key: AuthKey) -> list[Session]:
    """The sessions of a key on a connection that want to be told of changes."""
    return [session for session in connection.sessions.values() if session.key is key and session.hears]
