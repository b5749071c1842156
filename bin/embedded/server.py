"""What the embedded servers have in common: one folder, one process, one port, one owner at a time."""

from __future__ import annotations

import fcntl
import os
import secrets
import signal
import socket
import subprocess
import time
from abc import ABC, abstractmethod
from pathlib import Path
from typing import IO, ClassVar

import psutil

from . import watchdog
from .errors import ServerError
from .unprivileged import SpawnOptions

START_SECONDS = 30.0
STOP_SECONDS = 15.0
LOG_BYTES = 5_000_000


class EmbeddedServer(ABC):
    """A server process over one folder.

    `start` ends what an earlier, killed owner left running in the folder, and keeps the port of the last time
    when it is free; within the life of one object the port, and so `url`, never changes. The server ends with
    the process that started it.
    """

    name: ClassVar[str]
    program: ClassVar[str]
    stop_signal: ClassVar[signal.Signals]

    def __init__(self, data_dir: Path | str) -> None:
        self.data_dir = Path(data_dir).resolve()
        self.log_path = self.data_dir / "server.log"
        self._lock: IO[str] | None = None
        self._port: int | None = None
        self._process: subprocess.Popen[bytes] | None = None

    # -- what a server defines

    @property
    @abstractmethod
    def working_dir(self) -> Path:
        """The folder that the running server's processes have as their current one."""

    @abstractmethod
    def _prepare(self) -> None:
        """Make the data folder's contents where there are none."""

    @abstractmethod
    def _command(self, port: int) -> list[str]:
        """The command that runs the server in the foreground."""

    @abstractmethod
    def _probe(self) -> bool:
        """Whether the server answers a client. Raises nothing for one that is still starting."""

    @abstractmethod
    def _url(self, port: int, password: str) -> str:
        """The address for clients."""

    def _spawn_options(self) -> SpawnOptions:
        return {}

    def _input(self, port: int) -> bytes:
        """What the server reads from its standard input."""
        return b""

    # -- what everybody uses

    @property
    def url(self) -> str:
        """The address for clients. Raises `ServerError` before the first start."""
        if self._port is None:
            raise ServerError(f"{self.name} has not been started")
        return self._url(self._port, self.password)

    @property
    def password(self) -> str:
        """The folder's password, made with the folder."""
        path = self.data_dir / "password"
        if not path.exists():
            fresh = path.with_name(f"password.{os.getpid()}")
            fresh.touch(0o600)
            fresh.write_text(secrets.token_urlsafe(24))
            fresh.rename(path)
        return path.read_text()

    @property
    def pid(self) -> int | None:
        """The process, or None when it is not running."""
        return self._process.pid if self._process is not None and self._process.poll() is None else None

    def start(self) -> str:
        """Start the server unless it runs; its URL, once it answers. Raises `ServerError`."""
        if self.pid is not None:
            return self.url
        self._reap()
        self.data_dir.mkdir(parents=True, exist_ok=True)
        self.data_dir.chmod(0o711)  # the account that runs the server for root must pass
        self._take_lock()
        try:
            self.end_leftovers()
            self._prepare()
            self._launch()
        except BaseException:
            if self.pid is None:
                self._release_lock()
            raise
        return self.url

    def stop(self) -> None:
        """End the server in an orderly way, keeping the data."""
        self._end(self.stop_signal)
        self._release_lock()

    def kill(self) -> None:
        """SIGKILL, as a crash would; `start` brings it back at the same address."""
        self._end(signal.SIGKILL)

    def restart(self) -> str:
        """Stop and start at the same address."""
        self._end(self.stop_signal)
        return self.start()

    def end_leftovers(self) -> None:
        """End processes of this server in this folder that outlived their owner."""
        left = [p for p in psutil.process_iter() if self._is_ours(p)]
        pids = {p.pid for p in left}
        for process in left:
            if _parent(process) not in pids:
                _send(process, self.stop_signal)
        deadline = time.monotonic() + STOP_SECONDS
        while alive := [process for process in left if _is_alive(process)]:
            if time.monotonic() > deadline:
                for process in alive:
                    _send(process, signal.SIGKILL)
            time.sleep(0.02)

    # -- inside

    def _launch(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while True:
            port = self._port or self._remembered_port() or _free_port()
            if self._run(port, deadline):
                self._port = port
                (self.data_dir / "port").write_text(str(port))
                return
            if time.monotonic() > deadline:
                raise ServerError(f"{self.name} finds no free port; its log is {self.log_path}")
            time.sleep(0.1)

    def _run(self, port: int, deadline: float) -> bool:
        """Start the process and wait until it answers. False: the port is somebody else's."""
        if not _port_is_free(port):
            (self.data_dir / "port").unlink(missing_ok=True)
            return False
        if self.log_path.exists() and self.log_path.stat().st_size > LOG_BYTES:
            self.log_path.unlink()
        with open(self.log_path, "ab") as log:
            log_start = log.tell()
            process = subprocess.Popen(
                [*watchdog.HELD, *self._command(port)],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                cwd=self.working_dir,
                start_new_session=True,
                env=server_environment(),
                **self._spawn_options(),
            )
        self._process = process
        watchdog.shared.watch(process.pid, stop_signal=self.stop_signal, stage=1)
        assert process.stdin is not None
        with process.stdin as stdin:
            stdin.write(watchdog.GO + self._input(port))
        previous, self._port = self._port, port
        while not self._probe():
            if process.poll() is not None or time.monotonic() > deadline:
                self._end(signal.SIGKILL)
                self._port = previous
                output = self.log_path.read_bytes()[log_start:].decode(errors="replace").strip()
                if "address already in use" in output.lower() and time.monotonic() < deadline:
                    (self.data_dir / "port").unlink(missing_ok=True)
                    return False
                raise ServerError(f"{self.name} did not start. It said:\n{output or '(nothing)'}")
            time.sleep(0.02)
        return True

    def _end(self, number: signal.Signals) -> None:
        if self._process is None:
            return
        if self._process.poll() is None:
            self._process.send_signal(number)
            try:
                self._process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._reap()

    def _reap(self) -> None:
        if self._process is not None:
            watchdog.shared.forget(self._process.pid)
            self._process = None

    def _is_ours(self, process: psutil.Process) -> bool:
        try:
            return process.name() == self.program and process.cwd() == str(self.working_dir)
        except psutil.Error:  # gone meanwhile, or another user's
            return False

    def _take_lock(self) -> None:
        if self._lock is not None:
            return
        lock = open(self.data_dir / "lock", "a+")  # noqa: SIM115 (held until the server is stopped)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            owner = lock.read().strip() or "another"
            lock.close()
            raise ServerError(f"{self.name} in {self.data_dir} is already run by process {owner}") from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        self._lock = lock

    def _release_lock(self) -> None:
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def _remembered_port(self) -> int | None:
        try:
            return int((self.data_dir / "port").read_text())
        except (FileNotFoundError, ValueError):
            return None


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _port_is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def server_environment() -> dict[str, str]:
    """The environment without what would reach into a server: a client's PG*, a locale that is not here."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "LC_", "LANG"))}
    return kept | {"LC_ALL": "C"}


def _is_alive(process: psutil.Process) -> bool:
    """Whether it still runs; one that only waits to be collected (some inits never do) does not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _parent(process: psutil.Process) -> int | None:
    try:
        return process.ppid()
    except psutil.Error:
        return None


def _send(process: psutil.Process, number: signal.Signals) -> None:
    try:
        process.send_signal(number)
    except psutil.NoSuchProcess:
        return
