"""A client's session on a connection: what is said to it, encrypted with its key, in numbered messages."""

from __future__ import annotations

import gzip
import os
import struct
import time
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from telethon.crypto import AES
from telethon.network.mtprotostate import MTProtoState
from telethon.tl import TLObject
from telethon.tl.core import GzipPacked

from simulator.accounts.model import AuthKey
from simulator.mtproto.framing import FramingError, PacketStream

CONTAINER = 0x73F1F8DC
RPC_RESULT = 0xF35C6D01
VECTOR = 0x1CB5C415
TRUE, FALSE = b"\xb5\x75\x72\x99", b"\x37\x97\x79\xbc"
MAX_TOGETHER = 100
MAX_BYTES = 1 << 20
COMPRESSED_FROM = 1024


@dataclass(frozen=True, slots=True)
class Packet:
    """A decrypted packet: salt, session, number and sequence of the message, and its body."""

    salt: int
    session: int
    message_id: int
    sequence: int
    body: bytes


def decrypt(key: AuthKey, packet: bytes) -> Packet:
    """Read what a client encrypted with its key. Raises FramingError when it did not."""
    secret, digest, encrypted = bytes.fromhex(key.key), packet[8:24], packet[24:]
    whole = len(encrypted) // 16 * 16
    plain = AES.decrypt_ige(encrypted[:whole], *MTProtoState._calc_key(secret, digest, True))
    if len(plain) < 32 or sha256(secret[88:120] + plain).digest()[8:24] != digest:
        raise FramingError("a packet is not encrypted with its key")
    salt, session, message_id, sequence, length = struct.unpack_from("<qqqii", plain)
    if not 4 <= length <= len(plain) - 32:
        raise FramingError("a message is longer than its packet")
    return Packet(salt, session, message_id, sequence, plain[32 : 32 + length])


def parts(packet: Packet) -> list[tuple[int, int, bytes]]:
    """The messages of a packet: number, sequence and body each; those of a container one by one. Raises FramingError
    for a container that is cut off.
    """
    body = packet.body
    if struct.unpack_from("<I", body)[0] != CONTAINER:
        return [(packet.message_id, packet.sequence, body)]
    inner, position = [], 8
    try:
        for _ in range(struct.unpack_from("<i", body, 4)[0]):
            number, sequence, length = struct.unpack_from("<qii", body, position)
            inner.append((number, sequence, body[position + 16 : position + 16 + length]))
            position += 16 + length
    except struct.error:
        raise FramingError("a container is cut off") from None
    return inner


def serialized(value: Any, *, long: bool = False) -> bytes:
    """A result as it stands in an answer: objects, booleans, and vectors, whose bare numbers have 32 or 64 bits."""
    if isinstance(value, bool):
        return TRUE if value else FALSE
    if isinstance(value, list):
        items = [struct.pack("<q" if long else "<i", item) if isinstance(item, int) else bytes(item) for item in value]
        return struct.pack("<Ii", VECTOR, len(items)) + b"".join(items)
    return bytes(value)


def result(message_id: int, value: bytes) -> bytes:
    """The answer to a call; a long one is compressed."""
    if len(value) > COMPRESSED_FROM:
        packed = struct.pack("<I", GzipPacked.CONSTRUCTOR_ID) + TLObject.serialize_bytes(gzip.compress(value, 1))
        value = min(value, packed, key=len)
    return struct.pack("<Iq", RPC_RESULT, message_id) + value


class Session:
    """One session of a key on one connection. `hears` once it made a call that asks for updates."""

    def __init__(self, stream: PacketStream, key: AuthKey, session_id: int) -> None:
        self.key = key
        self.id = session_id
        self.hears = False
        self.seen: set[int] = set()
        self._stream = stream
        self._sequence = 0
        self._last_id = 0
        self._waiting: list[tuple[int, int, bytes]] = []

    def put(self, body: bytes, *, content: bool = True, answer: bool = True) -> None:
        """Queue a message. `content`: the client acknowledges it; `answer`: it answers one of the client's."""
        self._waiting.append((self._number(answer), self._sequence * 2 + content, body))
        self._sequence += content

    def flush(self) -> None:
        """Send what is queued, several messages in one packet."""
        while self._waiting:
            batch = [self._waiting.pop(0)]
            size = len(batch[0][2])
            while self._waiting and len(batch) < MAX_TOGETHER and size + len(self._waiting[0][2]) < MAX_BYTES:
                size += len(self._waiting[0][2]) + 16
                batch.append(self._waiting.pop(0))
            number, sequence, body = batch[0]
            if len(batch) > 1:
                inner = [struct.pack("<qii", each, order, len(content)) + content for each, order, content in batch]
                number, sequence = self._number(answer=True), self._sequence * 2
                body = struct.pack("<Ii", CONTAINER, len(batch)) + b"".join(inner)
            self._send(struct.pack("<qii", number, sequence, len(body)) + body)

    def _number(self, answer: bool) -> int:
        """A message's number: the time in 2^-32 seconds, rising; its lowest bits say that the server made it."""
        now = time.time_ns()
        kind = 1 if answer else 3
        number = ((now // 10**9) << 32 | (now % 10**9) // 4 << 2) & ~3 | kind
        if number <= self._last_id:
            number = (self._last_id & ~3) + 4 | kind
        self._last_id = number
        return number

    def _send(self, message: bytes) -> None:
        secret = bytes.fromhex(self.key.key)
        plain = struct.pack("<qq", self.key.salt, self.id) + message
        plain += os.urandom(-(len(plain) + 12) % 16 + 12)
        digest = sha256(secret[96:128] + plain).digest()[8:24]
        encrypted = AES.encrypt_ige(plain, *MTProtoState._calc_key(secret, digest, False))
        self._stream.write(struct.pack("<Q", self.key.id) + digest + encrypted)
