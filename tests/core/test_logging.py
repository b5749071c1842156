"""Logs are JSON lines with ids and UTC times, from every source, and nothing secret survives in them."""

from __future__ import annotations

import io
import json
import logging
import sys
import threading
import warnings
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from backend.core.logging import bound, configure, get_logger

BOT_TOKEN = "123456789:AAF-abcdefghijklmnopqrstuvwxyz_0123"


@pytest.fixture
def _logging_as_before() -> Iterator[None]:
    root = logging.getLogger()
    before = (list(root.handlers), root.level, sys.excepthook, threading.excepthook)
    yield
    for handler in list(root.handlers):
        root.removeHandler(handler)
    for handler in before[0]:
        root.addHandler(handler)
    root.setLevel(before[1])
    sys.excepthook, threading.excepthook = before[2], before[3]
    logging.captureWarnings(False)


@pytest.fixture
def stream(_logging_as_before: None) -> io.StringIO:
    made = io.StringIO()
    # RQ gives its logger a level of its own where a worker runs in this process; others were made quiet by a test.
    worker_log = logging.getLogger("rq.worker")
    worker_log.setLevel(logging.NOTSET)
    worker_log.disabled, worker_log.propagate = False, True
    configure("DEBUG", made, secrets=["the-installations-own-key", "short"])
    return made


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_says_when_where_and_what(stream: io.StringIO) -> None:
    get_logger("backend.jobs").info("delivery_sent", delivery_id=7, lane="bulk", ok=True, share=0.5)
    (line,) = lines(stream)
    assert list(line)[:4] == ["time", "level", "logger", "event"]
    assert line["time"].endswith("Z")
    assert abs(datetime.fromisoformat(line["time"]) - datetime.now(UTC)).days == 0
    del line["time"]
    assert line == {
        "level": "info",
        "logger": "backend.jobs",
        "event": "delivery_sent",
        "delivery_id": 7,
        "lane": "bulk",
        "ok": True,
        "share": 0.5,
    }


def test_bound_ids_stand_in_every_line_within_also_in_those_of_libraries(stream: io.StringIO) -> None:
    with bound(request_id="r1"), bound(job_id=4):
        get_logger("ours").info("inside")
        logging.getLogger("rq.worker").info("theirs %s", 1)
    get_logger("ours").info("outside")
    inside, theirs, outside = lines(stream)
    assert (inside["request_id"], inside["job_id"]) == ("r1", 4)
    assert (theirs["request_id"], theirs["event"]) == ("r1", "theirs 1")
    assert "request_id" not in outside


def test_ids_bound_in_one_thread_do_not_show_in_another(stream: io.StringIO) -> None:
    with bound(request_id="mine"):
        thread = threading.Thread(target=lambda: get_logger("ours").info("elsewhere"))
        thread.start()
        thread.join()
    assert "request_id" not in lines(stream)[0]


def test_the_level_holds_for_ours_and_for_libraries(stream: io.StringIO) -> None:
    configure("WARNING", stream)
    get_logger("ours").info("quiet")
    logging.getLogger("granian").info("quiet")
    get_logger("ours").warning("loud")
    logging.getLogger("granian").warning("loud")
    assert [line["event"] for line in lines(stream)] == ["loud", "loud"]


@pytest.mark.parametrize("level", ["", "LOUD", "10"])
def test_an_unknown_level_is_named(level: str) -> None:
    with pytest.raises(ValueError, match="LOG_LEVEL"):
        configure(level)


def test_configuring_twice_does_not_double_the_lines(stream: io.StringIO) -> None:
    configure("INFO", stream)
    get_logger("ours").info("once")
    assert len(lines(stream)) == 1


@pytest.mark.parametrize("name", ["sqlalchemy.engine", "sqlalchemy.engine.Engine", "telethon.network"])
def test_libraries_that_log_contents_stay_quiet_at_any_level(stream: io.StringIO, name: str) -> None:
    logging.getLogger(name).info("INSERT ... [generated] ('private text',)")
    assert stream.getvalue() == ""


@pytest.mark.usefixtures("_logging_as_before")
@pytest.mark.parametrize("name", ["werkzeug", "granian.access", "rq.worker", "_granian"])
def test_libraries_with_handlers_of_their_own_are_routed_here(name: str) -> None:
    around, stream = io.StringIO(), io.StringIO()
    library = logging.getLogger(name)
    library.addHandler(logging.StreamHandler(around))
    library.propagate = False
    configure("INFO", stream)
    library.warning("POST /bot%s/sendMessage", BOT_TOKEN)
    assert around.getvalue() == ""
    (line,) = lines(stream)
    assert line["event"] == "POST /bot123456789:***/sendMessage"
    assert line["logger"] == name


def test_exceptions_come_with_their_trace_and_without_their_secrets(stream: io.StringIO) -> None:
    def fail() -> None:
        try:
            raise ConnectionError(f"https://api.telegram.org/bot{BOT_TOKEN}/getMe refused")
        except ConnectionError as error:
            raise ValueError("redis://user:hunter2-password@valkey:6379 gone") from error

    try:
        fail()
    except ValueError:
        get_logger("ours").exception("failed", delivery_id=7)
        logging.getLogger("theirs").exception("failed")
    for line in lines(stream):
        assert "ConnectionError" in line["exception"]
        assert "in fail" in line["exception"]
        assert "getMe refused" in line["exception"]
    assert "AAF-" not in stream.getvalue()
    assert "hunter2" not in stream.getvalue()


def test_an_error_given_as_a_field_is_redacted_too(stream: io.StringIO) -> None:
    get_logger("ours").warning("failed", error=ValueError(f"bad token {BOT_TOKEN}"), cause=[OSError(BOT_TOKEN)])
    (line,) = lines(stream)
    assert line["error"] == "ValueError: ValueError('bad token 123456789:***')"
    assert "AAF-" not in stream.getvalue()


def test_fields_of_libraries_are_redacted_by_name(stream: io.StringIO) -> None:
    logging.getLogger("theirs").info("called", extra={"password": "hunter2", "text": "hello", "job": 3})
    (line,) = lines(stream)
    assert (line["password"], line["text"], line["job"]) == ("***", "<5 characters>", 3)


def test_a_line_that_cannot_be_formatted_is_reported_without_its_content(
    stream: io.StringIO, capsys: pytest.CaptureFixture[str]
) -> None:
    # Given to our handler alone: the test runner's own handlers raise.
    record = logging.LogRecord("theirs", logging.INFO, __file__, 1, "%d of %s", ("hunter2",), None)
    (ours,) = (each for each in logging.getLogger().handlers if getattr(each, "stream", None) is stream)
    ours.handle(record)
    (line,) = lines(stream)
    assert (line["event"], line["logger"], line["error"]) == ("log_line_lost", "theirs", "TypeError")
    assert "hunter2" not in capsys.readouterr().err


def test_a_closed_stream_does_not_break_the_program(stream: io.StringIO, capsys: pytest.CaptureFixture[str]) -> None:
    stream.close()
    get_logger("ours").info("nobody hears", password="hunter2")
    assert "hunter2" not in capsys.readouterr().err


def test_warnings_are_logged(stream: io.StringIO) -> None:
    warnings.warn("old call with token=abcdefghij", stacklevel=1)
    (line,) = lines(stream)
    assert line["logger"] == "py.warnings"
    assert "token=***" in line["event"]


def test_a_crash_is_logged_redacted(stream: io.StringIO, capsys: pytest.CaptureFixture[str]) -> None:
    try:
        raise RuntimeError(f"lost {BOT_TOKEN}")
    except RuntimeError as error:
        sys.excepthook(RuntimeError, error, error.__traceback__)
    (line,) = lines(stream)
    assert (line["level"], line["event"]) == ("critical", "process_crashed")
    assert "lost 123456789:***" in line["exception"]
    assert "AAF-" not in stream.getvalue() + capsys.readouterr().err


def test_an_interrupt_is_not_a_crash(stream: io.StringIO, capsys: pytest.CaptureFixture[str]) -> None:
    sys.excepthook(KeyboardInterrupt, KeyboardInterrupt(), None)
    assert stream.getvalue() == ""
    assert "KeyboardInterrupt" in capsys.readouterr().err


@pytest.mark.usefixtures("_logging_as_before")
def test_a_crash_of_a_thread_is_logged_and_other_hooks_hear_of_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    heard: list[type[BaseException]] = []
    monkeypatch.setattr(threading, "excepthook", lambda crash: heard.append(crash.exc_type))
    stream = io.StringIO()
    configure("INFO", stream)
    configure("INFO", stream)

    def crash() -> None:
        raise RuntimeError(f"lost {BOT_TOKEN}")

    thread = threading.Thread(target=crash, name="sender")
    thread.start()
    thread.join()
    (line,) = lines(stream)
    assert (line["event"], line["thread"]) == ("thread_crashed", "sender")
    assert "AAF-" not in stream.getvalue() + capsys.readouterr().err
    assert heard == [RuntimeError]


def test_the_installations_own_secrets_are_masked_anywhere(stream: io.StringIO) -> None:
    get_logger("ours").info("x-the-installations-own-key-y", note="a short note")
    (line,) = lines(stream)
    assert (line["event"], line["note"]) == ("x-***-y", "a short note")
