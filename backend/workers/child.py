"""One worker process: its role's loop in the main thread, housekeeping beside it."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable

from flask import Flask
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from backend.core import process_registry, queue
from backend.core.config import Settings
from backend.core.database import db, for_loop
from backend.core.logging import configure, get_logger
from backend.services.housekeeping import rounds
from backend.workers import rq_worker
from backend.workers.stop_signals import StopSignals
from backend.workers.supervisor import CANNOT_START

log = get_logger(__name__)

_application: Flask | None = None

Loop = tuple[Callable[[], None], Callable[[], None]]
"""What runs a role, and what makes that end from another thread."""


def run(
    role: str, settings: Settings, signals: StopSignals, *, name: str | None = None, predecessor: str | None = None
) -> int:
    """Runs one role until it is told to stop; returns the exit status.

    `name` is this process's own, `predecessor` that of the one in whose place it was started.
    """
    configure(settings.log_level, secrets=settings.secret_values())
    try:
        app, (work, stop) = _set_up(role, settings, name, predecessor)
    except Exception as error:
        # Nothing outside the process is asked up to here, so it would go the same way each time.
        log.exception("worker_cannot_start", role=role, error=type(error).__name__)
        return CANNOT_START
    ending = threading.Event()

    def stop_all() -> None:
        ending.set()
        stop()

    signals.call_on_stop(stop_all)
    keeper = threading.Thread(target=_keep_house, args=(app, ending), name="housekeeping", daemon=True)
    keeper.start()
    reporter = process_registry.Reporter(role)
    reporter.start()
    work()
    ending.set()
    reporter.stop()
    keeper.join(5)
    return 0


def queues_of(role: str) -> list[str]:
    """The RQ queues that a role serves; none for the dispatch loop and the accounts."""
    if role in ("dispatch", "sessions"):
        return []
    return list(queue.QUEUES) if role == "jobs" else [role]


def prepare(settings: Settings) -> Flask:
    """Makes this process's application, for itself and for the children that it forks. Opens no connection."""
    global _application
    from backend.services.dispatch import dispatcher as dispatcher
    from backend.workers.application import create_worker_app

    _application = create_worker_app(settings)
    return _application


def _set_up(role: str, settings: Settings, name: str | None, predecessor: str | None) -> tuple[Flask, Loop]:
    app = _application or prepare(settings)
    if role == "dispatch":
        return app, _dispatching(app, settings, name, predecessor)
    if role == "sessions":
        from backend.workers import sessions

        return app, sessions.loop(app, settings, name, predecessor)
    return app, _working(app, queues_of(role))


def _dispatching(app: Flask, settings: Settings, name: str | None = None, predecessor: str | None = None) -> Loop:
    from backend.services.dispatch.dispatcher import Dispatcher
    from backend.services.files import storage_of_instance

    dispatcher = Dispatcher(
        app.app_context,
        storage_of_instance().open,
        connections=settings.dispatch_connections,
        owner=name,
        predecessor=predecessor,
    )
    return dispatcher.run, dispatcher.stop


def _working(app: Flask, queue_names: list[str]) -> Loop:
    stopping = threading.Event()
    return lambda: rq_worker.work(app, queue_names, stopping), stopping.set


def _keep_house(app: Flask, ending: threading.Event) -> None:
    """Tries a round of housekeeping every two seconds; so does every other worker process, and one of them does it."""
    with app.app_context():
        engine = for_loop(db.engine)
    # Processes that were started together do not ask together: who comes a little later finds it done.
    ending.wait(os.getpid() % 7 / 7 * rounds.SECONDS)
    while not ending.wait(rounds.SECONDS):
        try:
            with app.app_context():
                rounds.run(engine)
        except (DBAPIError, PoolTimeout) as error:
            log.warning("database_away", error=type(error).__name__)
        except Exception as error:
            # Readiness shows that no heartbeat came.
            log.exception("housekeeping_defect", error=type(error).__name__)
    engine.dispose()
