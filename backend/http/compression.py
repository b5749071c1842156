"""Answers in gzip for clients that take it: pages, JSON and scripts, a fifth of their size on the way.

Static files are compressed once in a process, as well as it goes; everything else each time, as quickly as pays.
"""

from __future__ import annotations

import gzip
import zlib
from functools import lru_cache
from pathlib import Path
from typing import Final

from flask import Flask, Response, request

_SMALLEST: Final = 1024
"""Bytes; below them an answer is one packet anyway."""
_LEVEL: Final = 5
_TYPES: Final = frozenset(
    {
        "application/json",
        "application/javascript",
        "application/problem+json",
        "application/xml",
        "image/svg+xml",
        "text/css",
        "text/csv",
        "text/html",
        "text/javascript",
        "text/plain",
    }
)


def install(app: Flask) -> None:
    """Compresses the answers of the application. Whatever is installed later sees them uncompressed."""
    app.after_request(_compress)


def file_response(path: Path, mimetype: str) -> Response:
    """A small file of the product's own, prepared once in each encoding."""
    plain, packed, digest = _prepared(path, path.stat().st_mtime_ns)
    if packed is not None and _accepted():
        response = Response(packed, mimetype=mimetype, headers={"Content-Encoding": "gzip"})
        response.set_etag(f"{digest}-gzip")
    else:
        response = Response(plain, mimetype=mimetype)
        response.set_etag(digest)
    if packed is not None:
        response.vary.add("Accept-Encoding")
    response.make_conditional(request)
    return response


@lru_cache(maxsize=200)
def _prepared(path: Path, _changed: int) -> tuple[bytes, bytes | None, str]:
    plain = path.read_bytes()
    packed = gzip.compress(plain, 9, mtime=0)
    return plain, packed if len(packed) < len(plain) * 0.9 else None, f"{zlib.crc32(plain):08x}-{len(plain):x}"


def _compress(response: Response) -> Response:
    if response.mimetype not in _TYPES or response.direct_passthrough or not response.is_sequence:
        return response
    if "Content-Encoding" in response.headers or response.status_code in (204, 206, 304):
        return response
    if "no-transform" in response.headers.get("Cache-Control", ""):
        return response
    response.vary.add("Accept-Encoding")
    if not _accepted() or (response.calculate_content_length() or 0) < _SMALLEST:
        return response
    response.set_data(gzip.compress(response.get_data(), _LEVEL, mtime=0))
    response.headers["Content-Encoding"] = "gzip"
    etag, _ = response.get_etag()
    if etag is not None:
        response.set_etag(f"{etag}-gzip", weak=True)
    return response


def _accepted() -> bool:
    """Whether the client takes gzip."""
    return request.accept_encodings["gzip"] > 0
