"""A program that has ours imported and forks a process for each command it is asked for: `fork_client` asks.

To import the product costs more than two seconds of processor time, and a test of processes starts three or four. A
forked process runs what the command would run, from its first line: only the modules are there already. What is read
from the environment while they are imported (`fork_client.FIXED`) is the same for all that one server forks.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import runpy
import selectors
import signal
import socket
import sys
import types
from collections.abc import Iterable
from importlib import metadata
from typing import Any

MODULES = (
    "backend.app",
    "backend.asgi.application",
    "backend.asgi.limits.memory",
    "backend.asgi.limits.open_files",
    "backend.asgi.protocol",
    "backend.cli",
    "backend.services.dispatch.dispatcher",
    "backend.workers.application",
    "backend.workers.child",
    "backend.workers.command",
    "backend.workers.launching",
    "backend.workers.supervisor",
    "flask.cli",
    "uvicorn.lifespan.on",
    "uvicorn.loops.uvloop",
    "uvicorn.main",
    "uvicorn.protocols.websockets.websockets_sansio_impl",
)


def serve(control: socket.socket) -> dict[str, Any]:
    """Forks until the other end of `control` is closed, then ends what runs and exits; returns the request, in the
    process that was forked for it.

    A request is JSON with `command`, `environment` and `folder`, and comes with three files: the process's standard
    output, its standard error, and a pipe on which its id is told, and later its exit status.
    """
    reports: dict[int, int] = {}
    ended, wake = socket.socketpair()
    for end in (ended, wake):
        end.setblocking(False)
    signal.signal(signal.SIGCHLD, lambda number, frame: None)
    signal.set_wakeup_fd(wake.fileno(), warn_on_full_buffer=False)
    with selectors.DefaultSelector() as selector:
        selector.register(control, selectors.EVENT_READ)
        selector.register(ended, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if key.fileobj is ended:
                    with contextlib.suppress(BlockingIOError):
                        ended.recv(4096)
                    _report_ends(reports)
                    continue
                text, files, _, _ = socket.recv_fds(control, 1 << 20, 3)
                if not text:
                    _end(reports)
                    sys.exit(0)
                output, errors, report = files
                pid = os.fork()
                if pid == 0:
                    for other in (control, ended, wake):
                        other.close()
                    for other_report in (report, *reports.values()):
                        os.close(other_report)
                    _become_started(output, errors)
                    request: dict[str, Any] = json.loads(text)
                    return request
                os.close(output)
                os.close(errors)
                reports[pid] = report
                _tell(report, f"{pid}\n")


def _report_ends(reports: dict[int, int]) -> None:
    for pid in list(reports):
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            report = reports.pop(pid)
            _tell(report, f"{os.waitstatus_to_exitcode(status)}\n")
            os.close(report)


def _end(pids: Iterable[int]) -> None:
    """Whoever asked for these is gone, and no test ends them any more."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _tell(report: int, text: str) -> None:
    # Whoever asked for the process may be gone.
    with contextlib.suppress(BrokenPipeError):
        os.write(report, text.encode())


def _become_started(output: int, errors: int) -> None:
    """Leaves the forked process as a started one would be: its signals, and where it writes to."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for given, standard in ((output, 1), (errors, 2)):
        os.dup2(given, standard)
        os.close(given)


def run(request: dict[str, Any]) -> None:
    """Runs a command as the interpreter would: a program of the environment, a script, or `-c` with code."""
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    name, *arguments = request["command"]
    sys.modules["__main__"] = fresh = types.ModuleType("__main__")
    if name == "-c":
        sys.argv = ["-c", *arguments[1:]]
        # The tests' own code.
        exec(compile(arguments[0], "<string>", "exec"), vars(fresh))
        return
    sys.argv = [name, *arguments]
    if name.endswith(".py"):
        runpy.run_path(name, run_name="__main__")
        return
    (program,) = metadata.entry_points(group="console_scripts", name=name)
    sys.exit(program.load()())


if __name__ == "__main__":
    for module in MODULES:
        importlib.import_module(module)
    gc.collect()
    gc.freeze()
    asked = socket.socket(fileno=os.dup(0))
    with open(os.devnull, "rb") as nothing:
        os.dup2(nothing.fileno(), 0)
    run(serve(asked))
