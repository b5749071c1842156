"""How packets stand in a TCP connection: full, abridged or intermediate, as the client's first bytes say."""

from __future__ import annotations

import asyncio
import struct
from zlib import crc32

MAX_PACKET = 1 << 24


class FramingError(ConnectionError):
    """What came is no packet of the protocol."""


class PacketStream:
    """One connection, read and written packet by packet."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writer = writer
        self._reader = reader
        self._kind = ""
        self._begun = b""
        self._sent = 0

    async def read(self) -> bytes:
        """The next packet. Raises IncompleteReadError at the end, FramingError for what is none."""
        if not self._kind:
            await self._recognize()
        if self._kind == "full":
            return await self._read_full()
        if self._kind == "abridged":
            length = (await self._reader.readexactly(1))[0]
            if length >= 127:
                length = int.from_bytes(await self._reader.readexactly(3), "little")
            length *= 4
        else:
            length = int.from_bytes(await self._reader.readexactly(4), "little")
        return await self._reader.readexactly(_checked(length))

    async def _recognize(self) -> None:
        first = await self._reader.readexactly(1)
        if first == b"\xef":
            self._kind = "abridged"
            return
        first += await self._reader.readexactly(3)
        # A full packet has no tag before it: these bytes are its length.
        self._kind = "intermediate" if first == b"\xee" * 4 else "full"
        self._begun = first if self._kind == "full" else b""

    async def _read_full(self) -> bytes:
        head = self._begun or await self._reader.readexactly(4)
        self._begun = b""
        length = _checked(int.from_bytes(head, "little"))
        if length < 12:
            raise FramingError("a packet is shorter than its frame")
        rest = await self._reader.readexactly(length - 4)
        if crc32(head + rest[:-4]) != int.from_bytes(rest[-4:], "little"):
            raise FramingError("a packet has a wrong checksum")
        return rest[4:-4]

    def write(self, packet: bytes) -> None:
        """Send a packet; never waits."""
        if self._kind == "full":
            framed = struct.pack("<ii", len(packet) + 12, self._sent) + packet
            framed += struct.pack("<I", crc32(framed))
            self._sent += 1
        elif self._kind == "abridged":
            words = len(packet) // 4
            framed = (bytes([words]) if words < 127 else b"\x7f" + words.to_bytes(3, "little")) + packet
        else:
            framed = struct.pack("<i", len(packet)) + packet
        self.writer.write(framed)

    @property
    def is_open(self) -> bool:
        """False once either side has ended the connection."""
        return not (self.writer.is_closing() or self._reader.at_eof())

    def abort(self) -> None:
        """Close at once, without sending what waits."""
        self.writer.transport.abort()


def _checked(length: int) -> int:
    if not 0 < length <= MAX_PACKET:
        raise FramingError(f"a packet of {length} bytes")
    return length
