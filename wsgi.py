"""The entry for plain WSGI servers, without live events. The Procfile's web process runs `asgi.py`."""

from __future__ import annotations

from backend import cli

if cli.is_running():
    # `flask --app wsgi` has the same commands as `flask`, and they need no more.
    app = cli.make_app()
else:
    from backend.app import create_app
    from backend.core.config import ConfigurationError

    try:
        app = create_app()
    except ConfigurationError as error:
        raise SystemExit(f"Switchboard cannot start: {error}") from None
