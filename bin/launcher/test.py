"""`bin/test`: lint, types, import layers, then the tests with servers of their own."""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import time
from types import FrameType

from embedded import ServerError, watchdog

from .environment import ROOT
from .servers import temporary

#: pytest's own code for "no test was selected".
NO_TESTS = 5


def main() -> int:
    """The command. Every check runs; the exit code is 1 when one of them failed."""
    arguments = _arguments()
    started_at = time.monotonic()
    python = sys.executable
    failed = [
        name
        for name, command in (
            ("lint", [python, "-m", "ruff", "check", "."]),
            (
                "types",
                [
                    python,
                    "-m",
                    "mypy",
                    *_existing("backend", "simulator", "bin", "tests", "worker.py", "wsgi.py", "asgi.py"),
                ],
            ),
            ("import layers", [f"{ROOT}/.venv/bin/lint-imports", "--no-cache"]),
        )
        if not _passes(name, command, {})
    ]
    pytest = [python, "-m", "pytest", "-n", str(arguments.workers), "--dist", "worksteal"]
    if arguments.fast:
        pytest += ["-m", "not slow"]
    try:
        with temporary(fsync=False) as servers:
            if not _passes("tests", [*pytest, *arguments.pytest], servers):
                failed.append("tests")
    except ServerError as error:
        print(f"bin/test: {error}", file=sys.stderr)
        failed.append("tests")
    seconds = time.monotonic() - started_at
    print(
        f"bin/test: {'failed: ' + ', '.join(failed) if failed else 'passed'} in {seconds:.0f} s", flush=True
    )
    return 1 if failed else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="bin/test", description=__doc__, epilog="Other options go to pytest."
    )
    parser.add_argument("--fast", action="store_true", help="leave out the tests marked slow")
    parser.add_argument("--workers", default="3", help="test processes (3: many tests wait for other processes)")
    known, rest = parser.parse_known_args()
    known.pytest = rest
    return known


def _existing(*names: str) -> list[str]:
    return [name for name in names if (ROOT / name).exists()]


def _passes(name: str, command: list[str], variables: dict[str, str]) -> bool:
    """Run one check in a session of its own, so that what it leaves running is ended with it."""
    print(f"── {name}", flush=True)
    started_at = time.monotonic()
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env=project_environment() | variables,
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


def project_environment() -> dict[str, str]:
    path = f"{ROOT}/.venv/bin{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    return dict(os.environ) | {"PATH": path, "VIRTUAL_ENV": f"{ROOT}/.venv"}


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    for stop_signal in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(stop_signal) != signal.SIG_IGN:  # nohup
            signal.signal(stop_signal, _interrupt)
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
