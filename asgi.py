"""The entry for ASGI servers, with live events: `uvicorn asgi:app`; the Procfile has the options."""

from __future__ import annotations

from backend.app import create_app
from backend.core.config import ConfigurationError
from backend.front import memory, open_files
from backend.front.application import Front

open_files.raise_limit()
memory.return_when_free()
try:
    app = Front(create_app())
except ConfigurationError as error:
    raise SystemExit(f"Switchboard cannot start: {error}") from None
