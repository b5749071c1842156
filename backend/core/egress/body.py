"""Reading an answer's body within a bound, packed or not."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from http.client import HTTPResponse
from typing import Final

from backend.core.egress.errors import EgressFailed

_CHUNK: Final = 64 * 1024
_WINDOWS: Final = {"gzip": 16 + zlib.MAX_WBITS, "x-gzip": 16 + zlib.MAX_WBITS, "deflate": zlib.MAX_WBITS}


def read(answer: HTTPResponse, origin: str, max_bytes: int) -> Iterator[bytes]:
    """The body in pieces, unpacked, at most `max_bytes` before and after unpacking.

    Never holds more than a piece, so that a small packed body cannot fill the memory. Raises `EgressFailed`.
    """
    encoding = (answer.getheader("Content-Encoding") or "identity").strip().lower()
    if encoding != "identity" and encoding not in _WINDOWS:
        raise EgressFailed("unsupported_encoding", f"{origin} answered in an encoding that is not supported.")
    declared = answer.length
    if declared is not None and declared > max_bytes:
        raise _too_large(origin, max_bytes)
    pieces = _raw(answer, origin, max_bytes)
    if encoding == "identity":
        yield from pieces
    else:
        yield from _unpacked(pieces, zlib.decompressobj(_WINDOWS[encoding]), origin, max_bytes)


def _raw(answer: HTTPResponse, origin: str, max_bytes: int) -> Iterator[bytes]:
    received = 0
    while piece := answer.read(_CHUNK):
        received += len(piece)
        if received > max_bytes:
            raise _too_large(origin, max_bytes)
        yield piece
    if answer.length:
        raise EgressFailed("connection_lost", f"{origin} ended in the middle of its answer.")


def _unpacked(pieces: Iterator[bytes], unpacker: zlib._Decompress, origin: str, max_bytes: int) -> Iterator[bytes]:
    produced = 0
    packed = False
    for piece in pieces:
        packed = True
        rest = piece
        while rest and not unpacker.eof:
            try:
                out = unpacker.decompress(rest, _CHUNK)
            except zlib.error:
                raise EgressFailed("bad_response", f"{origin} answered with a damaged body.") from None
            rest = unpacker.unconsumed_tail
            produced += len(out)
            if produced > max_bytes:
                raise _too_large(origin, max_bytes)
            if out:
                yield out
    if packed and not unpacker.eof:
        raise EgressFailed("connection_lost", f"{origin} ended in the middle of its answer.")


def _too_large(origin: str, max_bytes: int) -> EgressFailed:
    return EgressFailed("response_too_large", f"{origin} answered with more than {max_bytes:,} bytes.")
