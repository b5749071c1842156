"""The web application: configuration, the HTTP edge, the routes, and the commands of `flask`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from apiflask import APIFlask
from flask import Flask, Request, Response, request
from flask.json.provider import DefaultJSONProvider
from flask.sessions import SessionInterface, SessionMixin
from flask_migrate import Migrate
from werkzeug.middleware.proxy_fix import ProxyFix

from backend import cli
from backend.compat import probes
from backend.core import config, logging, pool_checks, startup, thread_pools
from backend.core.config import Settings
from backend.core.database import db
from backend.http import adapter, bodies, compression, envelope, errors, guards, jwt, openapi, routing, webhooks
from backend.http.api import BLUEPRINTS as API
from backend.http.console import BLUEPRINTS as CONSOLE
from backend.http.console.kit import pages
from backend.services import (
    housekeeping,  # noqa: F401 - declares every work and every job
    live,  # noqa: F401 - from its import on, what is stored is noted for live events
)
from backend.services.senders import questions

MIGRATIONS = Path(__file__).parent.parent / "migrations"
MAX_BODY = 1024 * 1024
"""Bytes of a request's body, unless its view says otherwise."""


_NO_STATIC: dict[str, Any] = {"static_folder": None}
"""No folder is served as it is (APIFlask's types do not know that Flask takes None)."""


class JSONProvider(DefaultJSONProvider):
    """Keeps the order in which a schema lists its fields, and takes what a schema has written already as it is."""

    sort_keys = False

    def response(self, *args: Any, **kwargs: Any) -> Any:
        """The response with this value as JSON."""
        if len(args) == 1 and isinstance(args[0], adapter.Written):
            return Response(args[0].text + b"\n", mimetype=self.mimetype)
        return super().response(*args, **kwargs)


class _NoSessions(SessionInterface):
    """Flask's own sessions are used by nobody: no cookie of theirs is read or written."""

    def open_session(self, app: Flask, request: Request) -> SessionMixin | None:
        """None."""
        return None

    def save_session(self, app: Flask, session: SessionMixin, response: Response) -> None:
        """Nothing to save."""


def create_app(settings: Settings | None = None) -> APIFlask:
    """The application for these settings, by default those of the environment.

    Raises ConfigurationError naming a missing variable, and RuntimeError for a route without a guard or a
    library without a name that is needed.
    """
    probes.require("apiflask", "rq", "sqlalchemy")
    settings = settings or config.load()
    startup.begin(settings)
    logging.configure(settings.log_level, secrets=settings.secret_values())
    app = APIFlask(
        __name__, title="Switchboard", version="1", spec_path=None, docs_path=None, json_errors=False, **_NO_STATIC
    )
    app.json = JSONProvider(app)
    app.request_class = bodies.BoundedRequest
    app.session_interface = _NoSessions()
    app.config.update(_flask_settings(settings))
    if settings.trusted_proxies:
        # Only the entries added by our proxies count: from the right, as many as there are of them.
        count = settings.trusted_proxies
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=count, x_proto=count, x_host=0, x_prefix=0)  # type: ignore[method-assign]
    db.init_app(app)
    with app.app_context():
        pool_checks.install(db.engine)
    thread_pools.provide(app.app_context)
    Migrate(app, db, directory=str(MIGRATIONS), compare_type=True, compare_server_default=True)
    jwt.configure(app, settings)
    routing.install(app)
    errors.register(app)
    compression.install(app)
    envelope.install(app, settings)
    # Within a request providers are asked with care: somebody else's page must not wait for them.
    app.before_request(_begin_request)
    app.teardown_request(lambda _error: questions.end_request())
    for blueprint in (*API, webhooks.blueprint(), *CONSOLE):
        app.register_blueprint(blueprint)
    pages.install(app)
    guards.check_all(app)
    openapi.install(app)
    cli.register(app)
    return app


def _begin_request() -> None:
    questions.begin_request("looks" if request.method in ("GET", "HEAD") else "acts")


def _flask_settings(settings: Settings) -> dict[str, Any]:
    return {
        "SECRET_KEY": settings.secret_key,
        **settings.for_sqlalchemy(),
        "MAX_CONTENT_LENGTH": MAX_BODY,
        "MAX_FORM_MEMORY_SIZE": MAX_BODY,
        "MAX_FORM_PARTS": 100,
        "OPENAPI_VERSION": "3.1.0",
        "AUTO_VALIDATION_ERROR_RESPONSE": False,
        "AUTO_AUTH_ERROR_RESPONSE": False,
        "AUTO_404_RESPONSE": False,
        "AUTO_SERVERS": False,
    }
