"""Runs the Procfile of the current folder as bin/dev does; `server: command` is kept as a server.

Each line that is added to the file `changes` names a program whose code has changed.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

from launcher import procfile
from launcher.console import Console


async def _restart(runner: procfile.Runner, changes: Path) -> None:
    done = 0
    while not runner.is_stopping:
        names = _lines(changes)
        for name in names[done:]:
            await runner.restart(name)
        done = len(names)
        await runner.pause(0.02)


def _lines(path: Path) -> list[str]:
    return path.read_text().split() if path.exists() else []


async def _run(text: str) -> int:
    commands = procfile.parse(text)
    runner = procfile.Runner(Console(names=commands), environment=os.environ, folder=Path.cwd())
    runner.handle_signals()
    server = commands.pop("server", None)
    if server:
        running: list[subprocess.Popen[bytes]] = []
        revive = lambda: running.append(subprocess.Popen(["/bin/sh", "-c", f"exec {server}"]))  # noqa: E731
        revive()
        runner.keep_server("server", lambda: running[-1].poll() is None, revive)
    for name, command in commands.items():
        runner.keep(procfile.Program(name, command))
    runner.in_background(_restart(runner, Path("changes")))
    try:
        return await runner.wait()
    finally:
        if server:
            running[-1].kill()


if __name__ == "__main__":
    sys.exit(asyncio.run(_run(Path("Procfile").read_text())))
