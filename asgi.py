"""The entry for ASGI servers, with live events: `uvicorn asgi:app`; the Procfile has the options."""

from __future__ import annotations

from backend.app import create_app
from backend.asgi.application import AsgiApplication
from backend.asgi.limits import memory, open_files
from backend.core.config import ConfigurationError

open_files.raise_limit()
memory.return_when_free()
try:
    app = AsgiApplication(create_app())
except ConfigurationError as error:
    raise SystemExit(f"Switchboard cannot start: {error}") from None
