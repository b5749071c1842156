"""Starting a child: forked from the parent, which has everything imported, or as a program of its own.

A forked child shares the parent's pages, so that several cost little more memory than one, and is at work within
milliseconds of a death. Where libraries of the system do not survive a fork (macOS) it is a program.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Final, NoReturn, Protocol

from backend.core.logging import get_logger

log = get_logger(__name__)
FORKS: Final = sys.platform == "linux"
_PR_SET_NAME: Final = 15
_LOOK_SECONDS: Final = 0.02
_STOPPING: Final = (signal.SIGTERM, signal.SIGINT)


class ChildProcess(Protocol):
    """A child, as `subprocess.Popen` has it."""

    pid: int
    returncode: int | None

    def poll(self) -> int | None:
        """The exit status, negative for a signal; None while it runs."""

    def terminate(self) -> None:
        """Sends SIGTERM."""

    def kill(self) -> None:
        """Sends SIGKILL."""

    def wait(self, timeout: float | None = None) -> int:
        """Waits for its end. Raises subprocess.TimeoutExpired."""


Launcher = Callable[[str, str, str | None], ChildProcess]
"""Starts a child: its role, its own name, and the name of the one in whose place it comes. Raises OSError."""


class ForkedChild:
    """A child that was forked. Only its parent uses this."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """The exit status, negative for a signal; None while it runs."""
        if self.returncode is None:
            ended, status = os.waitpid(self.pid, os.WNOHANG)
            if ended:
                self.returncode = os.waitstatus_to_exitcode(status)
        return self.returncode

    def terminate(self) -> None:
        """Sends SIGTERM."""
        self._send(signal.SIGTERM)

    def kill(self) -> None:
        """Sends SIGKILL."""
        self._send(signal.SIGKILL)

    def wait(self, timeout: float | None = None) -> int:
        """Waits for its end. Raises subprocess.TimeoutExpired."""
        until = None if timeout is None else time.monotonic() + timeout
        while (status := self.poll()) is None:
            if until is not None and time.monotonic() >= until:
                raise subprocess.TimeoutExpired(process_name(str(self.pid)), timeout or 0.0)
            time.sleep(_LOOK_SECONDS)
        return status

    def _send(self, number: int) -> None:
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)


def process_name(role: str) -> str:
    """What a forked child with this role is called by the system, which keeps fifteen characters."""
    return f"worker-{role}"[:15]


def launch_program(role: str, name: str, predecessor: str | None) -> ChildProcess:
    """Starts our own script as the child."""
    script = os.path.abspath(sys.argv[0])
    command = [sys.executable, script, "--child", role, "--parent", str(os.getpid()), "--name", name]
    if predecessor is not None:
        command += ["--instead-of", predecessor]
    # Our own script under our own interpreter.
    return subprocess.Popen(command)  # noqa: S603


def launch_fork(run_child: Callable[[str, int, str, str | None], int]) -> Launcher:
    """A launcher that forks this process, which must have no other thread; the child runs `run_child`."""

    def launch(role: str, name: str, predecessor: str | None) -> ChildProcess:
        parent = os.getpid()
        # What the child's collector does not visit stays shared.
        gc.collect()
        gc.freeze()
        # Until the child listens for them itself, signals wait: the parent's handlers would run in it.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, _STOPPING)
        try:
            pid = os.fork()
            if pid == 0:
                _become(role, lambda: run_child(role, parent, name, predecessor))
        finally:
            if os.getpid() == parent:
                signal.pthread_sigmask(signal.SIG_SETMASK, before)
        return ForkedChild(pid)

    return launch


def _become(role: str, run: Callable[[], int]) -> NoReturn:
    """Runs the child and ends the process as a program would, threads and buffers included.

    Nothing but the end leaves it: an error that went on upwards would be handled by the parent's code, in the child.
    """
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_NAME, process_name(role).encode(), 0, 0, 0)
    try:
        status = run()
    except Exception as error:
        log.exception("worker_defect", role=role, error=type(error).__name__)
        status = 1
    sys.exit(status)
