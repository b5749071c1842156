"""The application of a worker process: the database, the settings and every work, without the web's half."""

from __future__ import annotations

from flask import Flask

from backend.core import logging, startup, thread_pools
from backend.core.config import Settings
from backend.core.database import db
from backend.services import (
    housekeeping,  # noqa: F401 - declares every work and every job
    live,  # noqa: F401 - from its import on, what is stored is noted for live events
)


def create_worker_app(settings: Settings) -> Flask:
    """Makes the application in whose context workers use the database. Raises ConfigurationError.

    It opens no connection and starts no thread: a process that made it may fork.
    """
    startup.begin(settings)
    logging.configure(settings.log_level, secrets=settings.secret_values())
    app = Flask(__name__, static_folder=None)
    app.config.update(settings.for_sqlalchemy())
    db.init_app(app)
    thread_pools.provide(app.app_context)
    return app
