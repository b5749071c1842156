"""Memory of requests that are over goes back to the system."""

from __future__ import annotations

import sys
import threading

import psutil
import pytest

from backend.asgi.limits import memory

PIECE = 100_000
"""Bytes; below the size from which the C library asks the system for each piece by itself."""


@pytest.mark.skipif(not memory.trim(), reason="another C library")
def test_memory_between_pieces_that_stay_is_given_back() -> None:
    process = psutil.Process()
    held = [(bytearray(PIECE), bytes(600)) for _ in range(800)]
    stays = [small for _, small in held]
    full = process.memory_info().rss
    held.clear()
    memory.trim()
    assert full - process.memory_info().rss > 800 * PIECE // 2
    assert len(stays) == 800


def test_a_trimmer_goes_on_until_it_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    turns = threading.Semaphore(0)

    def trim() -> bool:
        turns.release()
        return True

    monkeypatch.setattr(memory, "trim", trim)
    trimmer = memory.Trimmer(seconds=0.001)
    trimmer.start()
    for _ in range(4):
        assert turns.acquire(timeout=60)
    trimmer.stop()
    for thread in threading.enumerate():
        if thread.name == "memory-trimmer":
            thread.join(60)
    assert all(thread.name != "memory-trimmer" for thread in threading.enumerate())


def test_where_it_cannot_be_done_nothing_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    assert memory.trim() is False
    memory.Trimmer(seconds=0.001).start()
    assert all(thread.name != "memory-trimmer" for thread in threading.enumerate())
