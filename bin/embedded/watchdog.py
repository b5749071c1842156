"""Ends child processes when the process that started them is gone, even by SIGKILL.

A small process of its own, in its own session, reads from a pipe that only we hold open. Every child is
announced to it. When the pipe closes, however we ended, it asks each announced process group to stop, stage
by stage, and kills what stays. One mechanism for Linux and macOS (a parent-death signal exists on Linux only,
and reaches only direct children).
"""

from __future__ import annotations

import atexit
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

#: Put before a command whose standard input then begins with `GO`: it runs only once it has been announced,
#: and not at all when the process that started it is gone before that.
HELD = ("/bin/sh", "-c", 'read -r go && exec "$@"', "held")
GO = b"go\n"

#: Seconds a stage gets to end by itself before it is killed.
GRACE = 5.0


class Watchdog:
    """The side of the process that starts children."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._watched: dict[int, str] = {}
        self._owner = 0

    def watch(self, group: int, *, stop_signal: int = signal.SIGTERM, stage: int = 0) -> None:
        """Announce the process group `group`; lower stages are stopped first (0 programs, 1 the servers they
        use).
        """
        with self._lock:
            self._watched[group] = f"watch {group} {int(stop_signal)} {stage}\n"
            self._write(self._watched[group])

    def forget(self, group: int) -> None:
        """`group` has ended (its number may soon belong to somebody else)."""
        with self._lock:
            if self._watched.pop(group, None) is not None:
                self._write(f"forget {group}\n")

    def close(self) -> None:
        """End the watchdog, and with it whatever is still announced; returns when that is done."""
        with self._lock:
            if self._process is not None and self._owner == os.getpid():
                assert self._process.stdin is not None
                self._process.stdin.close()
                self._process.wait()
                self._process = None

    def _write(self, line: str) -> None:
        if self._process is None or self._process.poll() is not None:  # not started yet, or somebody killed it
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", str(Path(__file__).resolve())],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                start_new_session=True,
            )
            self._owner = os.getpid()
            line = "".join(self._watched.values())
        assert self._process.stdin is not None
        self._process.stdin.write(line.encode())
        self._process.stdin.flush()


#: The watchdog of this process.
shared = Watchdog()
atexit.register(shared.close)


def group_exists(group: int) -> bool:
    """Whether a process group still has a member, dead ones that nobody has waited for included."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # macOS, for a group of which only dead members are left
        return False
    return True


def signal_group(group: int, number: int) -> None:
    """Send a signal to a process group that may be gone by now."""
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):
        return


def end_groups(groups: dict[int, int], *, grace: float = GRACE) -> None:
    """Send each process group its signal, and kill what is left after `grace` seconds."""
    for group, number in groups.items():
        signal_group(group, number)
    deadline = time.monotonic() + grace
    for group in groups:
        while group_exists(group):
            if time.monotonic() > deadline:
                signal_group(group, signal.SIGKILL)
                break
            time.sleep(0.02)


def _keep_watch() -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    watched: dict[int, tuple[int, int]] = {}
    for line in sys.stdin:
        word, group, *rest = line.split()
        if word == "watch":
            watched[int(group)] = (int(rest[0]), int(rest[1]))
        else:
            watched.pop(int(group), None)
    for stage in sorted({stage for _, stage in watched.values()}):
        end_groups({group: number for group, (number, of) in watched.items() if of == stage})


if __name__ == "__main__":
    _keep_watch()
