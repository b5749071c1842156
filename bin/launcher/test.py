"""`bin/test`: the tests with servers of their own, and beside them format, lint, types and import layers.

With paths (`bin/test tests/core`) only the tests there run, before the checks. `bin/check` is the checks alone.
"""

from __future__ import annotations

import argparse
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import FrameType

from embedded import ServerError

from . import checks
from .environment import ROOT
from .servers import temporary

_KEEPS_COMPILED = {"PYTHONDONTWRITEBYTECODE": ""}
"""Whatever else is set: a test process compiles for ten seconds what it does not find compiled."""


def main() -> int:
    """The command. Every check and every test runs; the exit code is 1 when one of them failed."""
    arguments = _arguments()
    started_at = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="switchboard-failures-") as folder:
        failures = Path(folder) / "failures"
        if arguments.named:
            failed = [*_failed_tests(arguments, failures), *checks.failed_checks()]
        else:
            with checks.Beside("checks", [sys.executable, "bin", "check"]) as checking:
                _compile_tests()
                failed = _failed_tests(arguments, failures)
                if not checking.passes():
                    failed.insert(0, "checks")
        _say_what_failed(failures)
    verdict = f"failed: {', '.join(failed)}" if failed else "passed"
    print(f"bin/test: {verdict} in {time.monotonic() - started_at:.0f} s", flush=True)
    return 1 if failed else 0


def _say_what_failed(failures: Path) -> None:
    """Print the tests that failed, a line each, after everything else has been said."""
    if failures.exists() and (lines := failures.read_text(encoding="utf-8")):
        print(f"── failed tests\n{lines}", end="", flush=True)


def _compile_tests() -> None:
    """Has pytest keep the tests as it compiles them, once, before each test process would do it for itself.

    What is wrong with them the tests themselves will say.
    """
    if not any(ROOT.glob("tests/__pycache__/*-pytest-*")):
        command = [sys.executable, "-m", "pytest", "--collect-only", "-p", "no:terminal"]
        environment = checks.project_environment() | _KEEPS_COMPILED
        subprocess.run(command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, check=False)


def _failed_tests(arguments: argparse.Namespace, failures: Path) -> list[str]:
    """Run the tests against servers of their own: `["tests"]` when one failed or the servers did not start. What failed
    stands in `failures` then, if pytest got so far."""
    command = [sys.executable, "-m", "pytest", "-n", str(arguments.workers), "--dist", "worksteal"]
    if not arguments.named:
        command += ["--durations=20", "--durations-min=1"]
    if arguments.fast:
        command += ["-m", "not slow"]
    try:
        with temporary(fsync=False) as servers:
            variables = servers | _KEEPS_COMPILED | {"TEST_FAILURES_FILE": str(failures)}
            return [] if checks.passes("tests", [*command, *arguments.pytest], variables) else ["tests"]
    except ServerError as error:
        print(f"bin/test: {error}", file=sys.stderr)
        return ["tests"]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bin/test", description=__doc__, epilog="Other options go to pytest.")
    parser.add_argument("--fast", action="store_true", help="leave out the tests marked slow")
    parser.add_argument("--workers", default="4", help="test processes (4: many tests wait for other processes)")
    known, rest = parser.parse_known_args()
    known.pytest = rest
    known.named = any((ROOT / argument.partition("::")[0]).exists() for argument in rest)
    return known


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
