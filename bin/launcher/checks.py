"""The checks that read the code without running it: format, lint, types, import layers."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from typing import Self

from embedded import watchdog

from .environment import ROOT

CONSOLE = "backend/http/console"
WEB_SOURCES = [f"{CONSOLE}/static/css", f"{CONSOLE}/static/js"]
"""The console's style sheets and scripts, which are served as they are."""
NOT_LINTED = "J018,T038"
"""An address of the API is no page; `set` with two names has no end, which Jinja itself holds."""
FORMAT_WEB_SOURCES = [f"{ROOT}/.venv/bin/deno", "fmt", "--quiet", "--no-config", "--line-width", "120"]


def static_checks() -> list[tuple[str, list[str]]]:
    """Name and command of each check over the whole tree, the quickest first. Warm, all of them take a few seconds."""
    python = sys.executable
    return [
        ("format", [python, "-m", "ruff", "format", "--check", "."]),
        ("lint", [python, "-m", "ruff", "check", "."]),
        ("web format", [*FORMAT_WEB_SOURCES, "--check", *WEB_SOURCES]),
        ("scripts", [f"{ROOT}/.venv/bin/deno", "lint", "--quiet", "--no-config", *WEB_SOURCES[1:]]),
        (
            "templates",
            [python, "-m", "djlint", "--lint", "--quiet", "--profile=jinja", f"--ignore={NOT_LINTED}", CONSOLE],
        ),
        ("import layers", [f"{ROOT}/.venv/bin/lint-imports", "--no-cache"]),
        ("types", [python, "-m", "mypy"]),
    ]


def passes(name: str, command: list[str], variables: dict[str, str] | None = None) -> bool:
    """Run one check in a session of its own, so that what it leaves running is ended with it."""
    print(f"── {name}", flush=True)
    started_at = time.monotonic()
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env=project_environment() | (variables or {}),
        stdin=subprocess.DEVNULL,
        start_new_session=True,
    )
    watchdog.shared.watch(process.pid)
    try:
        code = process.wait()
    except KeyboardInterrupt:
        process.send_signal(signal.SIGINT)
        process.wait(30)
        raise
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        watchdog.end_groups({process.pid: signal.SIGTERM})
        watchdog.shared.forget(process.pid)
    verdict = "passed" if code == 0 else f"failed ({code})"
    print(f"── {name}: {verdict} in {time.monotonic() - started_at:.1f} s", flush=True)
    return code == 0


class Beside:
    """A command in a session of its own that runs beside others; what it says is printed when it is waited for.

    At the end of the block it is ended, whether or not it was waited for.
    """

    def __init__(self, name: str, command: list[str]) -> None:
        self._name = name
        self._command = command

    def __enter__(self) -> Self:
        self._output = tempfile.TemporaryFile()
        self._process = subprocess.Popen(
            self._command,
            cwd=ROOT,
            env=project_environment(),
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        watchdog.shared.watch(self._process.pid)
        return self

    def passes(self) -> bool:
        """Wait for its end, print what it said, and tell whether it succeeded."""
        code = self._process.wait()
        self._output.seek(0)
        print(f"── {self._name}, meanwhile", self._output.read().decode(errors="replace"), sep="\n", end="", flush=True)
        return code == 0

    def __exit__(self, *_error: object) -> None:
        watchdog.end_groups({self._process.pid: signal.SIGTERM})
        self._process.wait()
        watchdog.shared.forget(self._process.pid)
        self._output.close()


def failed_checks() -> list[str]:
    """Run every static check; the names of those that failed."""
    return [name for name, command in static_checks() if not passes(name, command)]


def project_environment() -> dict[str, str]:
    """This process's environment with the project's programs first on the path."""
    path = f"{ROOT}/.venv/bin{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    return dict(os.environ) | {"PATH": path, "VIRTUAL_ENV": f"{ROOT}/.venv"}
