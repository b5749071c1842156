"""Real worker processes for a test; whatever is left of them is killed at its end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.databases import Databases
from tests.support.installation import PATIENCE, ROOT, wait_for


class Workers:
    """Starts `worker.py` and looks at the processes that come of it."""

    def __init__(self, environment: dict[str, str], folder: Path) -> None:
        self.environment = environment
        self.failpoints = folder / "failpoints"
        self.failpoints.write_text("")
        self._log = folder / "worker.log"
        self._started: list[subprocess.Popen[bytes]] = []
        self._seen: set[int] = set()

    def start(self, *arguments: str, **environment: str) -> subprocess.Popen[bytes]:
        """Starts `worker.py` with these arguments."""
        kept = {name: os.environ[name] for name in ("HOME", "LANG", "TMPDIR", "PATH") if name in os.environ}
        given = kept | self.environment | {"FAILPOINTS_FILE": str(self.failpoints)} | environment
        with self._log.open("ab") as output:
            process = subprocess.Popen(
                [sys.executable, "worker.py", *arguments], cwd=ROOT, env=given, stdout=output, stderr=output
            )
        self._started.append(process)
        return process

    def log(self) -> str:
        """What all of them printed."""
        return self._log.read_text(errors="replace")

    def children(self, parent: subprocess.Popen[bytes]) -> list[int]:
        """The living children of a supervisor."""
        found = subprocess.run(["ps", "-o", "pid=,stat=", "--ppid", str(parent.pid)], capture_output=True, text=True)
        lines = [line.split() for line in found.stdout.splitlines()]
        living = [int(pid) for pid, state in lines if not state.startswith("Z")]
        self._seen.update(living)
        return living

    def wait_for_children(self, parent: subprocess.Popen[bytes], count: int) -> list[int]:
        """Waits until a supervisor has this many children."""

        def found() -> list[int]:
            assert parent.poll() is None, f"the supervisor has ended: {self.log()}"
            living = self.children(parent)
            return living if len(living) == count else []

        return wait_for(found, PATIENCE, f"{count} children")

    def end(self) -> None:
        """Kills what is left."""
        for process in self._started:
            if process.poll() is None:
                self.children(process)
                process.kill()
            process.wait(60)
        for pid in self._seen:
            if is_alive(pid) and "worker.py" in command_of(pid):
                os.kill(pid, signal.SIGKILL)


def is_alive(pid: int) -> bool:
    """Whether the process runs; one that nobody has waited for yet does not."""
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True).stdout.strip()
    return bool(state) and not state.startswith("Z")


def command_of(pid: int) -> str:
    """A process's command line."""
    return subprocess.run(["ps", "-o", "args=", "-p", str(pid)], capture_output=True, text=True).stdout


@pytest.fixture
def workers(databases: Databases, environment: dict[str, str], tmp_path: Path) -> Iterator[Workers]:
    """Over an empty database; nothing runs yet."""
    databases.clean()
    made = Workers(environment, tmp_path)
    try:
        yield made
    finally:
        made.end()
