"""`bin/dev`: the whole product on one machine, its servers included, and a Telegram where there is none."""

from __future__ import annotations

import argparse
import asyncio
import fcntl
import http.client
import os
import shutil
import signal
import socket
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from embedded import EmbeddedPostgres, EmbeddedValkey, ServerError
from embedded.server import EmbeddedServer

from . import environment as env
from . import procfile, reloading
from .console import Console

#: The simulated people, chats and messages (relative to the project's folder).
_SIMULATED = "var/simulator.json"


class CannotStart(Exception):
    """The message tells a person what to do."""


def main() -> int:
    """The command. Returns the exit code."""
    arguments = _arguments()
    env.VAR.mkdir(exist_ok=True)
    try:
        with _only_one(env.VAR / "dev.lock"):
            if arguments.reset:
                _forget(env.VAR)
            return _run()
    except (CannotStart, ServerError) as error:
        print(f"bin/dev: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="bin/dev",
        description="Start everything here. Variables: see .env.example; read from the environment and .env.",
    )
    parser.add_argument(
        "--reset", action="store_true", help="first forget var/: the embedded servers' data and the files"
    )
    return parser.parse_args()


def _run() -> int:
    started_at = time.monotonic()
    supplied = env.supply_secrets(env.ROOT / ".env", os.environ)
    if supplied:
        print(f"bin/dev: wrote fresh secrets to .env ({', '.join(supplied)})", flush=True)
    base = env.read(os.environ, env.ROOT / ".env")
    with_simulator = env.needs_simulator(base)
    environment = env.simulated(base) if with_simulator else dict(base)
    _require_free_port(base["HOST"], "PORT", base["PORT"])
    if with_simulator:
        _require_free_port("127.0.0.1", "SIMULATOR_PORT", base["SIMULATOR_PORT"])
        _require_free_port("127.0.0.1", "SIMULATOR_MTPROTO_PORT", base["SIMULATOR_MTPROTO_PORT"])

    servers: list[EmbeddedServer] = []
    try:
        if not environment.get("DATABASE_URL"):
            servers.append(EmbeddedPostgres(env.VAR / "postgres"))
            environment["DATABASE_URL"] = servers[-1].start()
        if not environment.get("REDIS_URL"):
            servers.append(EmbeddedValkey(env.VAR / "valkey"))
            environment["REDIS_URL"] = servers[-1].start()
        env.publish(environment, os.environ)
        return asyncio.run(_Session(environment, servers, with_simulator, started_at).run())
    finally:
        env.RUNNING.unlink(missing_ok=True)
        for server in reversed(servers):
            server.stop()


class _Session:
    def __init__(
        self,
        environment: dict[str, str],
        servers: list[EmbeddedServer],
        with_simulator: bool,
        started_at: float,
    ) -> None:
        self._environment = environment
        self._servers = servers
        self._with_simulator = with_simulator
        self._started_at = started_at
        self._commands = procfile.parse((env.ROOT / "Procfile").read_text())
        self._release = self._commands.pop("release", None)
        names = [*self._commands, "release", "bin/dev", *(["simulator"] if with_simulator else [])]
        self._console = Console(names=names)
        self._printed: list[str] = []
        self._webhook_stands = not with_simulator
        self._health = f"{env.web_address(environment)}/health"

    async def run(self) -> int:
        runner = procfile.Runner(self._console, environment=self._environment, folder=env.ROOT)
        self._runner = runner
        runner.handle_signals()
        for server in self._servers:
            runner.keep_server(server.name, lambda s=server: s.pid is not None, server.start)  # type: ignore[misc]
        if self._with_simulator:
            command = "python -m simulator --host 127.0.0.1 --port $SIMULATOR_PORT"
            command += f" --mtproto-port $SIMULATOR_MTPROTO_PORT --state {_SIMULATED}"
            command += f" --graph-site {env.web_address(self._environment)}"
            runner.keep(procfile.Program("simulator", command, once_running=self._register_webhook))
        if await self._prepare():
            for name, command in self._commands.items():
                runner.keep(procfile.Program(name, command))
            if not self._with_simulator and env.needs_polling(self._environment):
                runner.keep(procfile.Program("poll", "flask telegram poll"))
            runner.in_background(self._greet())
            runner.in_background(self._reload())
        return await runner.wait()

    async def _prepare(self) -> bool:
        """Migrate and make the demo workspace."""
        if self._release is not None:
            code, _ = await self._runner.once("release", self._release)
            if code != 0:
                return self._give_up("the database could not be migrated")
        code, self._printed = await self._runner.once("demo", "flask demo create")
        return code == 0 or self._give_up("the demo workspace could not be made")

    def _give_up(self, why: str) -> bool:
        if not self._runner.is_stopping:
            self._runner.report(why)
            self._runner.stop(1)
        return False

    async def _register_webhook(self) -> None:
        """Whenever the simulator starts (it may have forgotten), once both it and the web process answer."""
        for address in (env.simulator_address(self._environment), self._health):
            if not await self._answers(address):
                return
        code, _ = await self._runner.once("webhook", "flask telegram register-webhook")
        if code == 0:
            self._webhook_stands = True
        else:
            self._give_up("the webhook could not be registered with the simulator")

    async def _greet(self) -> None:
        """Once everything answers, say where it is."""
        if not await self._answers(self._health):
            return
        while not self._webhook_stands:
            await self._runner.pause(0.1)
            if self._runner.is_stopping:
                return
        address = env.web_address(self._environment)
        lines = [
            f"Switchboard runs (started in {time.monotonic() - self._started_at:.1f} s). Ctrl-C stops it.",
            "",
            f"API          {address}/api/docs",
        ]
        if self._with_simulator:
            lines.append(f"Phone        {env.simulator_address(self._environment)}  (a simulated Telegram)")
            lines.append(
                f"             {env.simulator_address(self._environment)}/meta  (WhatsApp, Messenger, Instagram)"
            )
        elif env.needs_polling(self._environment):
            lines.append("Telegram     polled (SITE_URL is no public https address)")
        lines.append("Commands     bin/run flask --help")
        if any(self._printed):
            lines += ["", *self._printed]
        self._console.box(lines)

    async def _reload(self) -> None:
        """Start the processes again whose code changes."""
        if not reloading.is_available():
            self._runner.report("changes of the code need a new start (bin/setup --dev brings what watches them)")
            return
        async for paths in reloading.changes(self._runner.stopping):
            names = sorted(reloading.concerned(paths) & self._runner.names)
            if names:
                self._runner.report(f"changed code: starting {', '.join(names)} again")
                await asyncio.gather(*(self._runner.restart(name) for name in names))

    async def _answers(self, url: str) -> bool:
        """Wait until an address answers; False when everything is being stopped instead."""
        late_at = time.monotonic() + 30
        while not self._runner.is_stopping:
            if await asyncio.to_thread(_responds, url):
                return True
            if time.monotonic() > late_at:
                self._runner.report(f"{url} does not answer yet")
                late_at += 30
            await self._runner.pause(0.1)
        return False


def _responds(url: str) -> bool:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=2) as answer:
            return bool(answer.status < 400)
    except OSError:  # refused, timed out, an error status
        return False
    except http.client.HTTPException:  # not a whole answer: just stopping or starting
        return False


def _require_free_port(host: str, variable: str, port: str) -> None:
    if not port.isdecimal() or not 0 < int(port) < 65536:
        raise CannotStart(f"{variable}={port} is not a port number")
    family, _, _, _, address = socket.getaddrinfo(host, int(port), type=socket.SOCK_STREAM)[0]
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(address)
        except OSError as error:
            raise CannotStart(
                f"cannot listen on {host} port {port} ({error.strerror}): choose another with {variable}=…"
            ) from None


@contextmanager
def _only_one(lock_path: Path) -> Iterator[None]:
    with open(lock_path, "a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            raise CannotStart(f"already running here (process {lock.read().strip()})") from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


def _forget(folder: Path) -> None:
    """Remove everything but the lock we hold. Servers left running by a killed bin/dev are ended first."""
    EmbeddedPostgres(folder / "postgres").end_leftovers()
    EmbeddedValkey(folder / "valkey").end_leftovers()
    for path in folder.iterdir():
        if path.name == "dev.lock":
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    for stop_signal in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(stop_signal) != signal.SIG_IGN:  # nohup
            signal.signal(stop_signal, _interrupt)
    sys.exit(main())
