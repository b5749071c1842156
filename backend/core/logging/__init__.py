"""Structured logs: one JSON object a line, times in UTC, ids in every line, secrets in none.

`configure` is called once by each process. From then on everything that logs, ours (`get_logger`) and the
libraries' (through the standard library), Python's warnings and uncaught exceptions, goes through one
handler, whose last step is the redaction. Nothing else may write to the log's stream.
"""

from __future__ import annotations

import json
import logging
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Final, TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from backend.core.logging.flood import LEFT_OUT, FloodFilter, Kind
from backend.core.logging.redaction import Redactor

__all__ = ["Redactor", "bound", "configure", "get_logger"]

# These write statements' parameters, message contents or whole addresses at lower levels, whatever LOG_LEVEL
# says.
_FLOORS: Final = {
    "sqlalchemy.engine": logging.WARNING,
    "sqlalchemy.pool": logging.WARNING,
    "telethon": logging.WARNING,
    "urllib3": logging.INFO,
    "werkzeug": logging.INFO,
    "alembic": logging.INFO,
    "alembic.runtime.plugins": logging.WARNING,
    "alembic.ddl": logging.WARNING,
}
_FIRST: Final = ("time", "level", "logger", "event")


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """A logger: `log.info("delivery_sent", delivery_id=7)`. Events are short names, what varies is fields."""
    logger: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(name)
    return logger


@contextmanager
def bound(**ids: object) -> Iterator[None]:
    """Adds the ids (`request_id`, `job_id`, …) to every line logged within, in this thread or task."""
    with structlog.contextvars.bound_contextvars(**ids):
        yield


def configure(level: str = "INFO", stream: TextIO | None = None, *, secrets: Iterable[str] = ()) -> None:
    """Sends every log of this process as JSON to `stream` (standard error); may be called again.

    `level` is `LOG_LEVEL`. `secrets` are the installation's own keys and passwords, masked wherever they
    turn up. Raises ValueError for an unknown level.
    """
    number = logging.getLevelNamesMapping().get(level.upper())
    if number is None:
        raise ValueError(f"LOG_LEVEL: there is no level {level!r}.")
    handler = _Handler(stream or sys.stderr)
    handler.addFilter(FloodFilter(_log_left_out))
    handler.setFormatter(_formatter(Redactor(secrets)))
    root = logging.getLogger()
    for old in list(root.handlers):
        if type(old) in (_Handler, logging.StreamHandler):
            root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(number)
    for name in list(logging.root.manager.loggerDict):
        _route(logging.getLogger(name))
    for name, floor in _FLOORS.items():
        logging.getLogger(name).setLevel(max(floor, number))
    logging.captureWarnings(True)
    sys.excepthook = _log_uncaught
    if not isinstance(threading.excepthook, _ThreadCrashes):
        threading.excepthook = _ThreadCrashes(threading.excepthook)


def _log_left_out(kind: Kind, count: int) -> None:
    name, event, which = kind
    get_logger(__name__).warning(LEFT_OUT, of=event, by=name, kind=which, count=count)


def _route(logger: logging.Logger) -> None:
    # Servers and queues bring handlers of their own, which would write around the redaction.
    for old in list(logger.handlers):
        if isinstance(old, logging.StreamHandler):
            logger.removeHandler(old)
    logger.propagate = True


_SHARED: Final[list[Processor]] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
]


def _formatter(redactor: Redactor) -> structlog.stdlib.ProcessorFormatter:
    def redact_and_render(_logger: WrappedLogger, _method: str, event: EventDict) -> str:
        ordered: dict[str, Any] = {name: event.pop(name) for name in _FIRST if name in event}
        return json.dumps(redactor.fields({**ordered, **event}))

    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[*_SHARED, structlog.stdlib.ExtraAdder()],
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.StackInfoRenderer(),
            structlog.processors.format_exc_info,
            redact_and_render,
        ],
    )


class _Handler(logging.StreamHandler[TextIO]):
    """Writes lines; what cannot be formatted is reported without showing it."""

    def handleError(self, record: logging.LogRecord) -> None:
        # The standard library would print the message and its arguments as they are.
        kind = sys.exc_info()[0]
        line = {"level": "error", "logger": record.name, "event": "log_line_lost", "line": record.lineno}
        try:
            self.stream.write(json.dumps(line | {"error": kind.__name__ if kind else None}) + "\n")
        except (OSError, ValueError):
            # The stream itself is gone (a closed pipe): there is no place left to say so.
            return


def _log_uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)
        return
    get_logger("uncaught").critical("process_crashed", exc_info=(kind, error, trace))


class _ThreadCrashes:
    """Logs what ends a thread; a hook that somebody else had installed still hears of it."""

    def __init__(self, previous: Callable[[threading.ExceptHookArgs], object]) -> None:
        self._previous = previous

    def __call__(self, crash: threading.ExceptHookArgs) -> None:
        if crash.exc_value is None or issubclass(crash.exc_type, SystemExit):
            return
        thread = crash.thread.name if crash.thread else None
        details: Any = (crash.exc_type, crash.exc_value, crash.exc_traceback)
        get_logger("uncaught").critical("thread_crashed", thread=thread, exc_info=details)
        # Python's own would print the exception as it is.
        if self._previous is not threading.__excepthook__:
            self._previous(crash)


structlog.configure(
    processors=[
        structlog.stdlib.filter_by_level,
        *_SHARED,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
    ],
    wrapper_class=structlog.stdlib.BoundLogger,
    logger_factory=structlog.stdlib.LoggerFactory(),
    cache_logger_on_first_use=True,
)
