"""Processes say that they are there, and are forgotten when they do not."""

from __future__ import annotations

import os

import pytest
import redis

from backend.core import process_registry, queue
from tests.support.serving import eventually

pytestmark = pytest.mark.usefixtures("app")


def test_who_has_reported_is_there(valkey):
    process_registry.report("web", live=3)
    process_registry.report("dispatch")
    found = process_registry.list_processes()
    assert found is not None
    assert [(one.role, one.pid, one.live) for one in found] == [("dispatch", os.getpid(), 0), ("web", os.getpid(), 3)]
    assert found[0].memory > 1_000_000
    assert found[0].cpu > 0
    assert 0 < valkey.ttl(f"switchboard:process:web@{found[0].name}") <= process_registry.FORGOTTEN_AFTER


def test_who_says_nothing_any_more_is_forgotten(valkey):
    process_registry.report("web")
    [one] = process_registry.list_processes() or []
    valkey.delete(f"switchboard:process:web@{one.name}")
    assert process_registry.list_processes() == []
    assert valkey.smembers("switchboard:processes") == set()


def test_without_redis_nobody_knows(monkeypatch):
    def away(**_options):
        raise redis.ConnectionError

    monkeypatch.setattr(queue, "connection", away)
    process_registry.report("web")
    assert process_registry.list_processes() is None


def test_a_reporter_reports_until_it_is_stopped():
    reporter = process_registry.Reporter("jobs", lambda: 7)
    reporter.start()
    [one] = eventually(process_registry.list_processes, "a report")
    assert (one.role, one.live) == ("jobs", 7)
    reporter.stop()
    reporter._thread.join(60)
    assert not reporter._thread.is_alive()
