"""Style sheet, scripts and icons: under an address that holds a digest of all of them, so they may be kept for ever."""

from __future__ import annotations

import hashlib
import mimetypes
from functools import cache
from pathlib import Path
from typing import Final

from apiflask import APIBlueprint
from flask import Response

from backend.core.errors import NotFound
from backend.http import compression
from backend.http.guards import public

bp = APIBlueprint("console_assets", __name__, enable_openapi=False)

_FOLDER: Final = Path(__file__).parent.parent / "static"
_FOR_EVER: Final = 365 * 24 * 3600


@cache
def version() -> str:
    """A digest over every file, computed once in a process."""
    whole = hashlib.sha256()
    for path in sorted(_FOLDER.rglob("*")):
        if path.is_file():
            whole.update(path.relative_to(_FOLDER).as_posix().encode() + b"\0" + path.read_bytes())
    return whole.hexdigest()[:12]


def address(name: str) -> str:
    """Where the file `name` is served from."""
    return f"/console/static/{version()}/{name}"


@bp.get("/console/static/<version>/<path:name>")
@public("style sheet, scripts and icons hold nothing of anybody")
def asset(version: str, name: str) -> Response:
    """A file of the console. Any version is answered with the present files; only the present one is kept for long."""
    path = (_FOLDER / name).resolve()
    if not path.is_relative_to(_FOLDER) or not path.is_file():
        raise NotFound
    response = compression.file_response(path, mimetypes.guess_type(name)[0] or "application/octet-stream")
    current = version == globals()["version"]()
    response.headers["Cache-Control"] = f"public, max-age={_FOR_EVER}, immutable" if current else "no-cache"
    response.headers["Cross-Origin-Resource-Policy"] = "same-origin"
    return response
