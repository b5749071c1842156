"""Asks a `fork_server` for processes. They are used as `subprocess.Popen` is, and end within a test as others do."""

from __future__ import annotations

import atexit
import contextlib
import functools
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

ROOT = Path(__file__).resolve().parents[2]
FIXED = ("FAILPOINTS_FILE", "TEST_CLOCK_FILE", "TEST_DISABLE", "TEST_LEASE_SECONDS", "TEST_ROUND_SECONDS")
"""The variables that the product reads while it is imported."""
PACE = ("TEST_ACCOUNT_PACE", "TELEGRAM_MTPROTO_SERVER")
"""Read then too, where the first is set."""
_START_SECONDS = 120.0
_LOOK_SECONDS = 0.02


class ForkedProcess:
    """A process of a fork server: what the tests need of `subprocess.Popen`."""

    def __init__(self, report: int) -> None:
        """`report` is the pipe on which the server tells the id and, when it has ended, the exit status."""
        self._report = report
        self._told = b""
        self.returncode: int | None = None
        deadline = time.monotonic() + _START_SECONDS
        while b"\n" not in self._told:
            assert self._read(deadline - time.monotonic()), "the fork server started nothing"
        self.pid = int(self._told.split()[0])

    def poll(self) -> int | None:
        """The exit status, negative for a signal; None while it runs."""
        while self.returncode is None and self._read(0):
            pass
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Waits for its end. Raises subprocess.TimeoutExpired."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while self.returncode is None:
            left = None if deadline is None else deadline - time.monotonic()
            if not self._read(left):
                raise subprocess.TimeoutExpired(str(self.pid), timeout or 0.0)
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Sends a signal, unless it has ended."""
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def terminate(self) -> None:
        """Sends SIGTERM."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """Sends SIGKILL."""
        self.send_signal(signal.SIGKILL)

    def _read(self, seconds: float | None) -> bool:
        """Reads what the server tells, waiting so long (None: for ever); False when it told nothing in time."""
        if not select.select([self._report], [], [], None if seconds is None else max(0.0, seconds))[0]:
            return False
        text = os.read(self._report, 100)
        assert text, "the fork server has died"
        self._told += text
        lines = self._told.split(b"\n")
        if len(lines) > 2:
            self.returncode = int(lines[1])
            os.close(self._report)
        return True


class ForkServer:
    """A server over one set of the fixed variables. It lives until the test process ends."""

    def __init__(self, fixed: Mapping[str, str]) -> None:
        control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._control = control
        kept = {name: os.environ[name] for name in ("HOME", "LANG", "PATH", "TMPDIR") if name in os.environ}
        self._server = subprocess.Popen(
            [sys.executable, "-m", "tests.support.fork_server"], cwd=ROOT, env={**kept, **fixed}, stdin=theirs.fileno()
        )
        theirs.close()
        atexit.register(self.stop)

    @property
    def pid(self) -> int:
        """The server's own process."""
        return self._server.pid

    def stop(self) -> None:
        """Ends the server, which ends what it forked."""
        self._control.close()
        self._server.wait(60)

    def start(
        self, command: Sequence[str], environment: Mapping[str, str], output: IO[Any], errors: IO[Any]
    ) -> ForkedProcess:
        """Starts a command in the project's folder: a console script, a `.py`, or `-c` and code."""
        assert self._server.poll() is None, "the fork server has died"
        report, theirs = os.pipe()
        request = {"command": list(command), "environment": dict(environment), "folder": str(ROOT)}
        socket.send_fds(self._control, [json.dumps(request).encode()], [output.fileno(), errors.fileno(), theirs])
        os.close(theirs)
        return ForkedProcess(report)

    def run(self, command: Sequence[str], environment: Mapping[str, str], timeout: float) -> tuple[int, str, str]:
        """Runs a command to its end: its exit status, output and errors. Raises subprocess.TimeoutExpired."""
        with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
            process = self.start(command, environment, output, errors)
            try:
                status = process.wait(timeout)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(60)
                raise
            written = []
            for file in (output, errors):
                file.seek(0)
                written.append(file.read().decode())
            return status, written[0], written[1]


@functools.cache
def _server_over(*fixed: tuple[str, str]) -> ForkServer:
    return ForkServer(dict(fixed))


def server_for(environment: Mapping[str, str]) -> ForkServer:
    """The server of this test process for what an environment fixes; started when it is first asked for."""
    fixed = FIXED + PACE if PACE[0] in environment else FIXED
    return _server_over(*((name, environment[name]) for name in fixed if name in environment))
