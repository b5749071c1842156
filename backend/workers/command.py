"""The command line of `worker.py`. A child ties itself to its parent here, before anything slow is imported."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from backend.workers import parent_watchdog
from backend.workers.stop_signals import StopSignals

if TYPE_CHECKING:
    from backend.core.config import Settings

MISCONFIGURED = 2
"""The exit status of a start with a variable that is missing or malformed."""


def main(arguments: Sequence[str]) -> int:
    """Runs the named roles until SIGTERM or SIGINT; returns the exit status."""
    parser = argparse.ArgumentParser(prog="worker.py", description="Runs Switchboard's workers.")
    parser.add_argument("roles", nargs="*", metavar="role", help="what to run; without any, what suits one machine")
    parser.add_argument("--child", metavar="role", help=argparse.SUPPRESS)
    parser.add_argument("--parent", type=int, metavar="pid", help=argparse.SUPPRESS)
    parser.add_argument("--name", help=argparse.SUPPRESS)
    parser.add_argument("--instead-of", metavar="name", help=argparse.SUPPRESS)
    options = parser.parse_args(list(arguments))
    if options.child:
        if options.parent is None:
            parser.error("--child is what a supervisor starts; it comes with --parent")
        return _run_child(options.child, options.parent, options.name, options.instead_of)
    return _supervise(parser, options.roles)


def _run_child(role: str, parent: int, name: str | None, predecessor: str | None) -> int:
    parent_watchdog.tie_to(parent)
    signals = StopSignals()
    signals.listen()
    parent_watchdog.watch(parent)
    from backend.core.config import load
    from backend.workers import child

    return child.run(role, load(), signals, name=name, predecessor=predecessor)


def _supervise(parser: argparse.ArgumentParser, named: Sequence[str]) -> int:
    from backend.core import config, startup
    from backend.core.logging import configure
    from backend.workers import launching
    from backend.workers.supervisor import ROLES, SENSIBLE, Supervisor

    unknown = [role for role in named if role not in ROLES]
    if unknown:
        parser.error(f"unknown role {', '.join(unknown)}; there are: {' '.join(ROLES)}")
    try:
        settings = config.load()
        startup.begin(settings)
    except config.ConfigurationError as error:
        print(f"worker.py: {error}", file=sys.stderr)
        return MISCONFIGURED
    configure(settings.log_level, sys.stderr)
    if not launching.FORKS:
        return Supervisor(named or SENSIBLE).run()
    return Supervisor(named or SENSIBLE, launching.launch_fork(_run_child), partial(_prepare, settings)).run()


def _prepare(settings: Settings) -> None:
    """Imports and makes everything that the children use, so that they share it."""
    from backend.workers import child

    child.prepare(settings)
