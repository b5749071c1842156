"""The parent: starts a child for each role, starts a dead one again within a second, and ends them with itself."""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from types import FrameType

from backend.core.config import ConfigurationError, load
from backend.core.logging import configure, get_logger
from backend.core.queue import LANES
from backend.workers import child

SENSIBLE = ("dispatch", "jobs")
ROLES = ("dispatch", "jobs", *LANES)
_LOOK_SECONDS = 0.2
_RESTART_SECONDS = 0.5
_STOP_SECONDS = 25.0

log = get_logger(__name__)


def main(arguments: Sequence[str]) -> int:
    """Runs the named roles until SIGTERM or SIGINT; returns the exit status."""
    parser = argparse.ArgumentParser(prog="worker.py", description="Runs Switchboard's workers.")
    parser.add_argument("roles", nargs="*", metavar="role", help=f"any of: {' '.join(ROLES)}")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    options = parser.parse_args(list(arguments))
    unknown = [role for role in options.roles if role not in ROLES]
    if unknown:
        parser.error(f"unknown role {', '.join(unknown)}; there are: {' '.join(ROLES)}")
    try:
        settings = load()
    except ConfigurationError as error:
        print(f"worker.py: {error}", file=sys.stderr)
        return 2
    configure(settings.log_level, sys.stderr)
    if options.child:
        return child.run(options.child, settings)
    return Supervisor(options.roles or SENSIBLE).run()


class Supervisor:
    """Watches one child process a role."""

    def __init__(self, roles: Sequence[str]) -> None:
        self._roles = list(dict.fromkeys(roles))
        self._children: dict[str, subprocess.Popen[bytes]] = {}
        self._died_at: dict[str, float] = {}
        self._stopping = False

    def run(self) -> int:
        """Starts the children and watches them until told to stop."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)
        for role in self._roles:
            self._start(role)
        while not self._stopping:
            self._look()
            _pause(_LOOK_SECONDS)
        return self._end()

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self._stopping = True

    def _start(self, role: str) -> None:
        script = os.path.abspath(sys.argv[0])
        # Our own script under our own interpreter.
        self._children[role] = subprocess.Popen([sys.executable, script, "--child", role])  # noqa: S603
        log.info("worker_started", role=role, pid=self._children[role].pid)

    def _look(self) -> None:
        for role in self._roles:
            process = self._children[role]
            if process.poll() is None:
                continue
            died_at = self._died_at.setdefault(role, time.monotonic())
            # Not at once: a child that cannot start would otherwise be started hundreds of times a second.
            if time.monotonic() - died_at >= _RESTART_SECONDS:
                log.error("worker_died", role=role, pid=process.pid, status=process.returncode)
                del self._died_at[role]
                self._start(role)

    def _end(self) -> int:
        for process in self._children.values():
            if process.poll() is None:
                process.terminate()
        deadline = time.monotonic() + _STOP_SECONDS
        for role, process in self._children.items():
            try:
                process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                log.error("worker_killed", role=role, pid=process.pid)
                process.kill()
                process.wait()
        return 0


def _pause(seconds: float) -> None:
    """Waits; a signal's handler runs meanwhile."""
    time.sleep(seconds)
