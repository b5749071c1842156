"""The parent: starts a child for each role, starts a dead one again within a second, and ends them with itself."""

from __future__ import annotations

import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from types import FrameType

from backend.core.logging import get_logger
from backend.core.queue import QUEUES

SENSIBLE = ("dispatch", "jobs")
ROLES = ("dispatch", "jobs", *QUEUES)
CANNOT_START = 78
"""A child's exit status (sysexits.h: EX_CONFIG) when a new start would not help; it has said why."""
_LOOK_SECONDS = 0.1
_RESTART_SECONDS = 0.4
_NO_PROCESS_SECONDS = 2.0
_STOP_SECONDS = 25.0

log = get_logger(__name__)


class Supervisor:
    """Watches one child process a role."""

    def __init__(self, roles: Sequence[str]) -> None:
        self._roles = list(dict.fromkeys(roles))
        self._children: dict[str, subprocess.Popen[bytes]] = {}
        self._names: dict[str, str] = {}
        self._died_at: dict[str, float] = {}
        self._tried_at: dict[str, float] = {}
        self._stopping = False
        self._status = 0

    def run(self) -> int:
        """Starts the children and watches them until told to stop. Returns the exit status: 0 for an orderly end."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)
        for role in self._roles:
            self._start(role)
        while not self._stopping:
            self._look()
            time.sleep(_LOOK_SECONDS)
        self._end()
        return self._status

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        # A plain assignment: there is no lock here that the interrupted code could hold.
        self._stopping = True

    def _start(self, role: str) -> None:
        script = os.path.abspath(sys.argv[0])
        name = f"{socket.gethostname()}:{role}:{secrets.token_hex(8)}"
        command = [sys.executable, script, "--child", role, "--parent", str(os.getpid()), "--name", name]
        if role in self._names:
            # It has ended, for we have waited for it: what it held need not run out first.
            command += ["--instead-of", self._names[role]]
        try:
            # Our own script under our own interpreter.
            self._children[role] = subprocess.Popen(command)  # noqa: S603
        except OSError as error:
            # The machine has no process or file handle left. Those that run go on; this one is tried again.
            log.error("worker_not_started", role=role, error=type(error).__name__, errno=error.errno)
            self._children.pop(role, None)
            self._tried_at[role] = time.monotonic()
            return
        self._names[role] = name
        log.info("worker_started", role=role, pid=self._children[role].pid)

    def _look(self) -> None:
        for role in self._roles:
            process = self._children.get(role)
            if process is None:
                if time.monotonic() - self._tried_at[role] >= _NO_PROCESS_SECONDS:
                    self._start(role)
                continue
            if process.poll() is None:
                continue
            if process.returncode == CANNOT_START:
                log.error("worker_cannot_start", role=role, pid=process.pid)
                self._stopping, self._status = True, 1
                return
            if role not in self._died_at:
                log.error("worker_died", role=role, pid=process.pid, status=process.returncode)
                self._died_at[role] = time.monotonic()
            # Not at once: one that dies as soon as it is started would take a processor for itself.
            if time.monotonic() - self._died_at[role] >= _RESTART_SECONDS:
                del self._died_at[role]
                self._start(role)

    def _end(self) -> None:
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
