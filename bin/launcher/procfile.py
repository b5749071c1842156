"""Runs a Procfile's processes: named output, a dead one started again, and nothing left behind at the end."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import time
from collections import deque
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from embedded import watchdog

from .console import Console

#: This many deaths within `DEATH_WINDOW` seconds, of all processes together, stop everything.
DEATHS = 5
DEATH_WINDOW = 60.0
#: Seconds between a death and the next start.
RESTART_PAUSE = 0.3
#: Seconds a process gets between SIGTERM and SIGKILL.
GRACE = 10.0
#: The same for a process that starts again because its code has changed: what it holds survives a kill.
RELOAD_GRACE = 0.7
#: A process that ends within this many seconds of a change is taken to be broken by it.
BROKEN_WITHIN = 10.0

_LINE = re.compile(r"^([A-Za-z0-9_-]+):\s*(.+)$")
_SHELL_SYNTAX = re.compile(r"[;&|\n(){}]|^\s*(?:exec|if|for|while|case)\b|^\s*\w+=")


def parse(text: str) -> dict[str, str]:
    """Names and commands in order. Raises ValueError for a line that is no process, comment or empty."""
    commands = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        match = _LINE.match(line)
        if match is None:
            raise ValueError(f"Procfile line {number} is not `name: command`: {line}")
        commands[match[1]] = match[2].strip()
    return commands


class Deaths:
    """Counts deaths in a moving window."""

    def __init__(self, limit: int = DEATHS, window: float = DEATH_WINDOW) -> None:
        self.limit = limit
        self.window = window
        self._times: deque[float] = deque()

    def too_many(self, now: float) -> bool:
        """Count one more at `now` (seconds of any steady clock); whether the limit is reached."""
        self._times.append(now)
        while self._times[0] <= now - self.window:
            self._times.popleft()
        return len(self._times) >= self.limit


@dataclass(frozen=True)
class Program:
    """One process to keep running. `once_running` is called after each start, again ones included."""

    name: str
    command: str
    environment: Mapping[str, str] = field(default_factory=dict)
    once_running: Callable[[], Coroutine[Any, Any, None]] | None = None


class Runner:
    """Keeps programs running until it is stopped, by a signal or by too many deaths.

    Each program has its own session, so a Ctrl-C reaches only this process, which ends them in order. Should
    this process be killed, the watchdog ends them.
    """

    def __init__(
        self, console: Console, *, environment: Mapping[str, str], folder: Path, deaths: Deaths | None = None
    ) -> None:
        self._console = console
        self._environment = dict(environment)
        self._folder = folder
        self._deaths = deaths or Deaths()
        self._stopping = asyncio.Event()
        self._live: dict[int, tuple[str, asyncio.subprocess.Process]] = {}
        self._kept: set[asyncio.Task[None]] = set()
        self._signals = 0
        self._restarting: set[str] = set()
        self._changed: dict[str, asyncio.Event] = {}
        self.exit_code = 0
        console.on_closed = lambda: self.stop(1)

    @property
    def stopping(self) -> asyncio.Event:
        """Set when everything is about to end."""
        return self._stopping

    @property
    def names(self) -> frozenset[str]:
        """The programs that run now."""
        return frozenset(name for name, _ in self._live.values()) | frozenset(self._changed)

    @property
    def is_stopping(self) -> bool:
        """Whether everything is about to end."""
        return self._stopping.is_set()

    def handle_signals(self) -> None:
        """Ctrl-C, SIGTERM, a closed terminal (but for nohup) stop the programs; a second one kills them."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
                loop.add_signal_handler(number, self._on_signal)

    def report(self, text: str) -> None:
        """A line of the runner itself."""
        self._console.line("bin/dev", text)

    def stop(self, exit_code: int = 0) -> None:
        """Begin to end everything; the first reason gives the exit code."""
        if not self._stopping.is_set():
            self.exit_code = exit_code
            self._stopping.set()
            for _, process in self._live.values():
                _terminate(process)

    async def once(self, name: str, command: str) -> tuple[int, list[str]]:
        """Run a command to its end: its exit code and what it wrote. A stop ends it too."""
        lines: list[str] = []
        return await self._run(Program(name, command), lines), lines

    def keep(self, program: Program) -> None:
        """Start a program and start it again whenever it ends."""
        self.in_background(self._keep(program))

    async def restart(self, name: str) -> None:
        """Start a kept program again because its code has changed: at once, without counting it as a death.

        One that the change breaks waits for the next one.
        """
        self._changed.setdefault(name, asyncio.Event()).set()
        running = [process for kept, process in self._live.values() if kept == name]
        if not running or self.is_stopping:
            return
        self._restarting.add(name)
        for process in running:
            _terminate(process)
        deadline = time.monotonic() + RELOAD_GRACE
        while any(process.pid in self._live for process in running) and time.monotonic() < deadline:
            await self.pause(0.02)
        for process in running:
            if process.pid in self._live:
                watchdog.signal_group(process.pid, signal.SIGKILL)

    def keep_server(self, name: str, is_alive: Callable[[], bool], revive: Callable[[], object]) -> None:
        """Bring back a server that runs elsewhere (`revive` blocks; what it raises stops everything)."""
        self.in_background(self._keep_server(name, is_alive, revive))

    async def pause(self, seconds: float) -> None:
        """Wait, but not longer than until everything is stopped."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), seconds)

    async def wait(self) -> int:
        """Wait for the end, end every process, and return the exit code."""
        await self._stopping.wait()
        deadline = time.monotonic() + GRACE
        while self._live and time.monotonic() < deadline and self._signals < 2:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
        for name, process in self._live.values():
            self._console.line(name, "does not stop: killed")
            watchdog.signal_group(process.pid, signal.SIGKILL)
        results = await asyncio.gather(*self._kept, return_exceptions=True)
        for result in results:
            if isinstance(result, Exception):
                raise result
        return self.exit_code

    def _on_signal(self) -> None:
        self._signals += 1
        if self._signals == 1:
            self.report("stopping")
        self.stop()

    def in_background(self, work: Coroutine[Any, Any, None]) -> None:
        """Do something beside the programs; an exception from it stops everything and is raised by `wait`."""
        task = asyncio.ensure_future(work)
        self._kept.add(task)
        task.add_done_callback(self._on_done)

    def _on_done(self, task: asyncio.Task[None]) -> None:
        if task.cancelled() or task.exception() is not None:  # `wait` raises it
            self.stop(1)
        else:
            self._kept.discard(task)

    async def _keep(self, program: Program) -> None:
        while not self.is_stopping:
            started_at = time.monotonic()
            code = await self._run(program)
            if self.is_stopping:
                return
            if program.name in self._restarting:
                self._restarting.discard(program.name)
                continue
            changed = self._changed.get(program.name)
            if changed is not None and time.monotonic() - started_at < BROKEN_WITHIN:
                self.report(f"{program.name} {_describe(code)}: waiting for the next change of its code")
                await self._next_change(changed)
                continue
            self._died(program.name, _describe(code))
            await self.pause(RESTART_PAUSE)

    async def _next_change(self, changed: asyncio.Event) -> None:
        changed.clear()
        while not self.is_stopping and not changed.is_set():
            await self.pause(0.05)

    async def _keep_server(self, name: str, is_alive: Callable[[], bool], revive: Callable[[], object]) -> None:
        while not self.is_stopping:
            if not is_alive():
                self._died(name, "ended")
                if not self.is_stopping:
                    await asyncio.to_thread(revive)
            await self.pause(0.5)

    def _died(self, name: str, how: str) -> None:
        if self._deaths.too_many(time.monotonic()):
            self.report(f"{name} {how}: {self._deaths.limit} deaths in {self._deaths.window:.0f} s, stopping all")
            self.stop(1)
        else:
            self.report(f"{name} {how}, starting it again")

    async def _run(self, program: Program, lines: list[str] | None = None) -> int:
        if self.is_stopping:
            return -signal.SIGTERM
        # Pipes of our own: asyncio's would make `wait` wait for everybody who holds their other end.
        reading, writing = os.pipe()
        held, release = os.pipe()
        try:
            process = await asyncio.create_subprocess_exec(
                *watchdog.HELD,
                "/bin/sh",
                "-c",
                f"exec </dev/null; {_replacing_the_shell(program.command)}",
                cwd=self._folder,
                env=self._environment | dict(program.environment),
                stdin=held,
                stdout=writing,
                stderr=writing,
                start_new_session=True,
            )
            watchdog.shared.watch(process.pid)
            self._live[process.pid] = (program.name, process)
            os.write(release, watchdog.GO)
        finally:
            for end in (writing, held, release):
                os.close(end)
        if self.is_stopping:
            _terminate(process)
        output, announced = await self._listen(program.name, reading, lines)
        if program.once_running is not None:
            self.in_background(program.once_running())
        code = await process.wait()
        del self._live[process.pid]
        # What it started must not keep a port or the output.
        await asyncio.to_thread(watchdog.end_groups, {process.pid: signal.SIGTERM}, grace=2.0)
        watchdog.shared.forget(process.pid)
        await asyncio.wait([announced], timeout=1.0)
        output.close()
        return code

    async def _listen(
        self, name: str, reading: int, lines: list[str] | None
    ) -> tuple[asyncio.ReadTransport, asyncio.Future[None]]:
        def on_line(line: bytes) -> None:
            text = line.decode(errors="replace").rstrip("\r")
            if lines is not None:
                lines.append(text)
            self._console.line(name, text)

        transport, protocol = await asyncio.get_running_loop().connect_read_pipe(
            lambda: _Lines(on_line), os.fdopen(reading, "rb", buffering=0)
        )
        return transport, protocol.announced


class _Lines(asyncio.Protocol):
    """Cuts what arrives into lines; `told` is done when the other side is closed."""

    def __init__(self, on_line: Callable[[bytes], None]) -> None:
        self._on_line = on_line
        self._rest = b""
        self.announced: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def data_received(self, data: bytes) -> None:
        *whole, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > 1_000_000:  # not a line any more
            whole, self._rest = [*whole, self._rest], b""
        for line in whole:
            self._on_line(line)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._rest:
            self._on_line(self._rest)
        if not self.announced.done():
            self.announced.set_result(None)


def _terminate(process: asyncio.subprocess.Process) -> None:
    try:
        process.terminate()
    except ProcessLookupError:
        return


def _replacing_the_shell(command: str) -> str:
    """A simple command takes the shell's place, and so gets the signals."""
    return command if _SHELL_SYNTAX.search(command) else f"exec {command}"


def _describe(code: int) -> str:
    return f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"
