"""Processes that a test starts and looks for, with a deadline instead of sleeps."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).resolve().parents[2]

#: A condition that does not come within this many seconds has failed.
DEADLINE = 90.0


def eventually(condition: Callable[[], object], what: str, seconds: float = DEADLINE) -> None:
    """Wait until `condition` holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds:.0f} s: {what}"
        time.sleep(0.02)


def is_gone(pid: int) -> bool:
    """Whether a process has ended (one that only waits to be collected counts)."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


class Started:
    """A Python script of ours in its own process, its output in a file."""

    def __init__(self, folder: Path, arguments: list[str]) -> None:
        self.output = folder / "output.txt"
        environment = dict(os.environ) | {"PYTHONPATH": f"{ROOT / 'bin'}:{ROOT}", "PYTHONUNBUFFERED": "1"}
        with self.output.open("wb") as out:
            self.process = subprocess.Popen(
                [sys.executable, *arguments],
                cwd=folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
            )

    @property
    def text(self) -> str:
        """What it has written so far."""
        return self.output.read_text()

    def wait(self) -> int:
        """Its exit code."""
        return self.process.wait(DEADLINE)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Started]]:
    """Start a script in `tmp_path`; what still runs at the end of the test is killed."""
    started: list[Started] = []

    def _start(*arguments: str) -> Started:
        started.append(Started(tmp_path, list(arguments)))
        return started[-1]

    yield _start
    for one in started:
        if one.process.poll() is None:
            one.process.send_signal(signal.SIGKILL)
            one.process.wait(DEADLINE)
