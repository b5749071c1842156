"""A whole installation for one measurement: its own durable servers, the Procfile's processes, the provider, the peers.

PostgreSQL runs with its defaults: fsync and synchronous commits are on. Everything ends with the `with` block.
"""

from __future__ import annotations

import base64
import http.client
import json
import os
import secrets
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import psutil
import psycopg

from backend.workers.launching import process_name
from benchmarks.checker import Entry, Row, read_log
from benchmarks.load import free_port
from benchmarks.result import PEER_PYTHON, ROOT
from embedded import EmbeddedPostgres, EmbeddedValkey

BOT_TOKEN = "4100001:BENCH-not-a-real-token"  # noqa: S105
WEBHOOK_SECRET = "bench-webhook-secret"  # noqa: S105


class Stage:
    """What is on stage, and how it is reached. Made by `stage()`."""

    def __init__(self, folder: Path, postgres: EmbeddedPostgres, valkey: EmbeddedValkey) -> None:
        self.folder = folder
        self.postgres = postgres
        self.valkey = valkey
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self._restarts: dict[str, tuple[Sequence[str], dict[str, str]]] = {}
        self.port = free_port()
        self.provider_port = 0
        self._reading: psycopg.Connection | None = None
        self.environment = {
            "DATABASE_URL": postgres.url,
            "REDIS_URL": valkey.url,
            "SECRET_KEY": secrets.token_urlsafe(48),
            "JWT_SECRET_KEY": secrets.token_urlsafe(48),
            "ENCRYPTION_KEYS": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
            "SITE_URL": f"http://127.0.0.1:{self.port}",
            "HOST": "127.0.0.1",
            "PORT": str(self.port),
            "REGISTRATION": "open",
            "RATE_LIMITS": "api=1000000/m,workspace_api=1000000/m,register=1000/m",
            "MEDIA_URL": str(folder / "media"),
            "LOG_LEVEL": "WARNING",
            "TELEGRAM_BOT_TOKEN": BOT_TOKEN,
            "TELEGRAM_WEBHOOK_SECRET": WEBHOOK_SECRET,
        }

    # --- the provider ---

    def start_provider(self, **options: str) -> None:
        """Starts the Bot API server; the product's processes that start later use it."""
        words = [word for name, value in options.items() for word in (f"--{name}", value)]
        command = [str(PEER_PYTHON), "-m", "benchmarks.provider", *words]
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE)
        self.processes["provider"] = process
        assert process.stdout is not None
        self.provider_port = int(json.loads(process.stdout.readline())["port"])
        self.environment["TELEGRAM_API_URL"] = f"http://127.0.0.1:{self.provider_port}"

    def provider(self, action: str, **options: str) -> dict[str, Any]:
        """A control request: `set`, `reset`, `stats`, `log`."""
        connection = http.client.HTTPConnection("127.0.0.1", self.provider_port, timeout=60)
        connection.request("GET", f"/control/{action}?{urlencode(options)}")
        answer: dict[str, Any] = json.loads(connection.getresponse().read())
        connection.close()
        return answer

    def ceiling(self, seconds: float = 1.5) -> float:
        """Messages a second that the provider takes from a raw client over 32 connections, without delays."""
        self.provider("set", policy="off", latency="0", inbound="0", faults="0")
        body = '{"chat_id":%V%,"text":"number %N%"}'
        done = self.load(
            port=self.provider_port, path="/bot1:x/sendMessage", body=body, seconds=seconds, values=["1", "2", "3"]
        )
        self.provider("reset")
        return float(done["rate"])

    def entries(self) -> list[Entry]:
        """What the provider noted since the last reset."""
        path = self.folder / "accepted.jsonl"
        self.provider("log", path=str(path))
        return read_log(path)

    # --- processes ---

    def load(self, **plan: Any) -> dict[str, Any]:
        """Runs `benchmarks.load` with this plan; returns what it says."""
        done = subprocess.run(
            [str(PEER_PYTHON), "-m", "benchmarks.load"],
            cwd=ROOT,
            input=json.dumps(plan).encode(),
            stdout=subprocess.PIPE,
            check=True,
        )
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer

    def peer(self, name: str, *words: str, under: str = "") -> subprocess.Popen[bytes]:
        """Starts `benchmarks.peers.<name>` with its output as a pipe; `under` names it where there are several."""
        command = [str(PEER_PYTHON), "-m", f"benchmarks.peers.{name}", *words]
        log = (self.folder / f"{name}.log").open("ab")
        process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log)
        log.close()
        self.processes[under or name] = process
        return process

    def start_web(self, *, open_files: int | None = None) -> None:
        """Starts the Procfile's web process, which may open so many files, and waits until it answers."""
        lines = (ROOT / "Procfile").read_text().splitlines()
        command = next(line.partition(":")[2].strip() for line in lines if line.startswith("web:"))
        limit = f"ulimit -n {open_files}; " if open_files is not None else ""
        self.start("web", ["sh", "-c", f"{limit}exec {command}"])
        wait_for(self.web_answers, 60, "the web process")

    def web_answers(self) -> bool:
        """Whether the web process answers."""
        try:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=2)
            connection.request("GET", "/health")
            return connection.getresponse().status == 200
        except OSError:
            return False

    def start_worker(self, *roles: str, **environment: str) -> None:
        """Starts the Procfile's worker (`worker.py` with its sensible set), or these roles of it."""
        self.start("worker", [sys.executable, "worker.py", *roles], environment)

    def start(self, name: str, command: Sequence[str], environment: dict[str, str] | None = None) -> None:
        """Starts a process of the product."""
        self._restarts[name] = (command, environment or {})
        log = (self.folder / f"{name}.log").open("ab")
        self.processes[name] = subprocess.Popen(
            command, cwd=ROOT, env=self.variables() | (environment or {}), stdout=log, stderr=log
        )
        log.close()

    def revive(self) -> list[str]:
        """Starts again what has ended, as whatever runs a Procfile does; returns the names."""
        gone = [name for name in self._restarts if self.processes[name].poll() is not None]
        for name in gone:
            command, environment = self._restarts[name]
            self.start(name, command, environment)
        return gone

    def variables(self) -> dict[str, str]:
        """The environment of the product's processes."""
        kept = {name: os.environ[name] for name in ("HOME", "LANG", "TMPDIR") if name in os.environ}
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        return kept | self.environment | {"PATH": path, "PYTHONPATH": str(ROOT)}

    def end(self, name: str) -> None:
        """Ends a process in an orderly way."""
        self._restarts.pop(name, None)
        process = self.processes.pop(name)
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout is not None:
            process.stdout.close()

    def pids(self, *names: str) -> list[int]:
        """The process ids of these."""
        return [self.processes[name].pid for name in names]

    def worker_children(self, role: str) -> list[psutil.Process]:
        """The worker's processes with this role."""
        try:
            children = psutil.Process(self.pids("worker")[0]).children()
            return [child for child in children if role in child.cmdline() or child.name() == process_name(role)]
        except psutil.NoSuchProcess:
            return []

    @property
    def postgres_pid(self) -> int:
        """PostgreSQL's parent process."""
        assert self.postgres.pid is not None
        return self.postgres.pid

    def close(self) -> None:
        """Ends every process."""
        for name in list(self.processes):
            self.end(name)
        if self._reading is not None:
            self._reading.close()

    # --- the database ---

    def migrate(self) -> None:
        """Makes the schema by the product's own migrations."""
        command = [str(Path(sys.executable).parent / "flask"), "--app", "wsgi", "db", "upgrade"]
        done = subprocess.run(command, cwd=ROOT, env=self.variables(), capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"{shlex.join(command)} failed:\n{done.stdout}{done.stderr}")

    def connect(self) -> psycopg.Connection:
        """A connection of the measurement's own, in autocommit."""
        return psycopg.connect(self.environment["DATABASE_URL"], autocommit=True)

    def rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        """Reads from the database."""
        for _ in range(3):
            if self._reading is None or self._reading.closed:
                self._reading = self.connect()
            try:
                return self._reading.execute(query.encode(), values).fetchall()
            except psycopg.OperationalError:
                self._reading.close()  # the server was killed since: a new connection
        raise RuntimeError("the database does not stay")

    def execute(self, *statements: str) -> None:
        """Carries out statements, each in a transaction of its own."""
        with self.connect() as connection:
            for statement in statements:
                connection.execute(statement.encode())

    def number(self, query: str, *values: Any) -> int:
        """Reads one number."""
        return int(self.rows(query, *values)[0][0])

    def settled(self) -> bool:
        """Whether nothing waits to be sent."""
        return self.number("SELECT count(*) FROM (SELECT 1 FROM deliveries LIMIT 1) d") == 0

    def messages(self, sender_ids: Sequence[int]) -> list[Row]:
        """The outbound messages of these senders, for the checker."""
        rows = self.rows(
            "SELECT m.id, m.body->'parts'->0->>'text', m.state, m.external_id, m.at_most_once,"
            " (SELECT min(d.reason) FROM deliveries d WHERE d.message_id = m.id)"
            " FROM messages m WHERE m.direction = 'out' AND m.sender_id = ANY(%s)",
            list(sender_ids),
        )
        return [Row(*row) for row in rows]


@contextmanager
def stage(*, schema: bool = True) -> Iterator[Stage]:
    """Servers with an empty schema; nothing else runs yet."""
    with ExitStack() as stack:
        folder = Path(tempfile.mkdtemp(prefix="switchboard-bench-"))
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        folder.chmod(0o711)  # the account that runs PostgreSQL for root must pass
        postgres = EmbeddedPostgres(folder / "postgres", fsync=True)
        valkey = EmbeddedValkey(folder / "valkey", persist=True)
        for server in (postgres, valkey):
            stack.callback(server.stop)
            server.start()
        running = Stage(folder, postgres, valkey)
        stack.callback(running.close)
        if schema:
            running.migrate()
        yield running


def wait_for(condition: Callable[[], bool], seconds: float, what: str) -> float:
    """Waits until it holds; returns for how long. Raises TimeoutError naming `what`."""
    begun = time.monotonic()
    while not condition():
        if time.monotonic() - begun > seconds:
            raise TimeoutError(f"waited {seconds:.0f} s for {what}")
        time.sleep(0.1)
    return time.monotonic() - begun


def listens(port: int) -> bool:
    """Whether somebody accepts connections there."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
