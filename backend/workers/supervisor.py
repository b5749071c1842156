"""The parent: starts a child for each role, starts a dead one again within a second, and ends them with itself."""

from __future__ import annotations

import secrets
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from types import FrameType

from backend.core.logging import get_logger
from backend.core.queue import QUEUES
from backend.workers.launching import ChildProcess, Launcher, launch_program

SENSIBLE = ("dispatch", "jobs")
ROLES = ("dispatch", "jobs", "sessions", *QUEUES)
CANNOT_START = 78
"""A child's exit status (sysexits.h: EX_CONFIG) when a new start would not help; it has said why."""
_LOOK_SECONDS = 0.1
_RESTART_SECONDS = 0.4
_NO_PROCESS_SECONDS = 2.0
_STOP_SECONDS = 25.0

log = get_logger(__name__)


class Supervisor:
    """Watches one child process a role. `launch` starts one, `prepare` is called once before the first."""

    def __init__(
        self,
        roles: Sequence[str],
        launch: Launcher = launch_program,
        prepare: Callable[[], object] = lambda: None,
    ) -> None:
        self._roles = list(dict.fromkeys(roles))
        self._launch = launch
        self._prepare = prepare
        self._children: dict[str, ChildProcess] = {}
        self._names: dict[str, str] = {}
        self._died_at: dict[str, float] = {}
        self._tried_at: dict[str, float] = {}
        self._stopping = False
        self._status = 0

    def run(self) -> int:
        """Starts the children and watches them until told to stop. Returns the exit status: 0 for an orderly end."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)
        try:
            self._prepare()
        except Exception as error:
            # Nothing outside the process is asked, so it would go the same way each time.
            log.exception("worker_cannot_start", error=type(error).__name__)
            return 1
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
        name = f"{socket.gethostname()}:{role}:{secrets.token_hex(8)}"
        try:
            # One that was there before has ended, for we have waited for it: what it held need not run out first.
            self._children[role] = self._launch(role, name, self._names.get(role))
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
