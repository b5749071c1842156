"""Business time moves only in tests, for all processes at once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from backend.core import clock


@pytest.fixture(autouse=True)
def _unmoved():
    clock.reset()
    yield
    clock.reset()


def test_now_is_aware_and_utc():
    assert clock.now().tzinfo is UTC
    assert abs(clock.now() - datetime.now(UTC)) < timedelta(seconds=5)


def test_moving_adds_up_and_is_taken_back():
    clock.move(3600)
    clock.move(60)
    assert clock.now() - datetime.now(UTC) > timedelta(seconds=3600)
    clock.reset()
    assert clock.now() - datetime.now(UTC) < timedelta(seconds=5)


def test_every_process_reads_the_same_offset_from_the_file(tmp_path, monkeypatch):
    path = tmp_path / "clock"
    path.write_text("86400")
    monkeypatch.setattr(clock, "_file", str(path))
    monkeypatch.setattr(clock, "_seen", (-1.0, -1.0, 0.0))
    assert timedelta(hours=23) < clock.now() - datetime.now(UTC) < timedelta(hours=25)
