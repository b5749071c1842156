"""Lines that a stranger can cause without end are written so many in ten seconds, and the rest is counted."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Callable
from typing import Any

import pytest

from backend.core.logging import flood, get_logger
from backend.core.logging.flood import FloodFilter
from tests.core.test_logging import _logging_as_before, lines, stream

__all__ = ["_logging_as_before", "stream"]


class Clock:
    """Monotonic seconds that a test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(stream: io.StringIO) -> Clock:
    made = Clock()
    for handler in logging.getLogger().handlers:
        for one in handler.filters:
            if isinstance(one, FloodFilter):
                one._monotonic = made
                one._looked = made.now
    return made


def raising(log: Any) -> None:
    try:
        raise ValueError("what a stranger sent")
    except ValueError as error:
        log.exception("unexpected_error", error=type(error).__name__)


def library(log: Any) -> None:
    logging.getLogger("uvicorn.error").warning("Invalid HTTP request received.")


KINDS: list[tuple[Callable[[Any], None], int]] = [
    (lambda log: log.warning("wrong_secret", bot_id=1), flood.WARNINGS),
    (lambda log: log.error("database_unavailable", path="/x"), flood.WARNINGS),
    (raising, flood.TRACEBACKS),
    (library, flood.WARNINGS),
    (lambda log: log.info("request", route="/api/x", status=404), flood.OTHERS),
    (lambda log: log.info("request", route="/api/x", status=401), flood.OTHERS),
    (lambda log: log.info("client_stalled"), flood.OTHERS),
]


@pytest.mark.parametrize(("write", "most"), KINDS)
def test_of_one_kind_so_many_are_written_and_the_rest_is_counted(
    stream: io.StringIO, clock: Clock, write: Callable[[Any], None], most: int
) -> None:
    log = get_logger("backend.http")
    for _ in range(most + 250):
        write(log)
    assert len(lines(stream)) == most
    clock.now += flood.WINDOW_SECONDS
    log.info("request", route="/health", status=200)
    told = [line for line in lines(stream) if line["event"] == flood.LEFT_OUT]
    assert [line["count"] for line in told] == [250]
    write(log)
    assert len(lines(stream)) == most + 3


def test_one_kind_does_not_silence_another(stream: io.StringIO, clock: Clock) -> None:
    log = get_logger("backend.http")
    for number in range(500):
        log.warning("wrong_secret", attempt=number)
    log.warning("worker_died", role="jobs")
    get_logger("backend.workers").warning("wrong_secret")
    log.error("wrong_secret")
    assert len(lines(stream)) == flood.WARNINGS + 3


def test_what_succeeds_is_always_written(stream: io.StringIO, clock: Clock) -> None:
    log = get_logger("backend.http")
    for _ in range(3000):
        log.info("request", route="/api/events", status=202)
    assert len(lines(stream)) == 3000


def test_kinds_without_end_do_not_fill_the_memory(clock: Clock) -> None:
    told: list[Any] = []
    one = FloodFilter(lambda kind, count: told.append((kind, count)), clock)
    for number in range(3 * flood.MAX_KINDS):
        record = logging.makeLogRecord({"name": "x", "levelno": 30, "levelname": "WARNING", "msg": f"line {number}"})
        assert one.filter(record)
    assert len(one._windows) <= flood.MAX_KINDS
    assert json.dumps(told) == "[]"
