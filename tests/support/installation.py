"""A whole installation as processes: web, workers and the simulated Telegram, for end-to-end and crash tests.

The processes are the Procfile's; only their environment is the test's, and that they are forked from a process that has
imported the product (`fork_server`). A test talks to them as the world does: over HTTP, through the simulator, with
signals. What it judges by is the simulator's accepted log and the database.
"""

from __future__ import annotations

import atexit
import functools
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import psutil
import psycopg
import requests

from tests.support.fork_client import ForkedProcess, server_for
from tests.support.telegram_box import DEMO_TOKEN, TelegramBox

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
Value = TypeVar("Value")
PATIENCE = 90.0
"""Seconds after which what was to come will not come: a wait that ends well costs none of them."""


class Installation:
    """Starts processes over a database that already has its schema; `stop` ends every one of them.

    With `forked=False` each process is started as the Procfile says, by a shell, with nothing imported.
    """

    def __init__(
        self, environment: dict[str, str], folder: Path, *, lease_seconds: float = 4.0, forked: bool = True
    ) -> None:
        self.folder = folder
        self.forked = forked
        self.box = TelegramBox(log_file=folder / "accepted.jsonl")
        self.port = free_port()
        controls = _folder_of_forked() if forked else folder
        self.failpoints = controls / "failpoints"
        self.failpoints.write_text("")
        self._hits.unlink(missing_ok=True)
        self.clock_file = controls / "clock"
        self.clock_file.unlink(missing_ok=True)
        self.environment = environment | {
            "TELEGRAM_API_URL": self.box.url,
            "TELEGRAM_BOT_TOKEN": DEMO_TOKEN,
            "SITE_URL": f"http://127.0.0.1:{self.port}",
            "PORT": str(self.port),
            "HOST": "127.0.0.1",
            "FAILPOINTS_FILE": str(self.failpoints),
            "TEST_CLOCK_FILE": str(self.clock_file),
            "TEST_LEASE_SECONDS": str(lease_seconds),
            "TEST_ROUND_SECONDS": "0.5",
            "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
        }
        self.processes: dict[str, subprocess.Popen[bytes] | ForkedProcess] = {}
        self._orphans: list[psutil.Process] = []
        self._offset = 0.0
        self.http = requests.Session()
        self.http.trust_env = False
        self.token = ""

    @property
    def url(self) -> str:
        """The address of the web process."""
        return f"http://127.0.0.1:{self.port}"

    # --- processes ---

    def start_web(self) -> None:
        """Starts the Procfile's web process and waits until it answers."""
        self._start_web()
        self.wait_for_web()

    def _start_web(self) -> None:
        command = next(
            line.partition(":")[2].strip()
            for line in (ROOT / "Procfile").read_text().splitlines()
            if line.startswith("web:")
        )
        if not self.forked:
            self._start("web", ["sh", "-c", f"exec {command}"])
            return
        # The shell puts the variables in.
        words = subprocess.run(
            ["sh", "-c", f"printf '%s\\n' {command}"], env=self._env({}), capture_output=True, text=True, check=True
        )
        self._start("web", words.stdout.splitlines())

    def wait_for_web(self) -> None:
        """Waits until the web process answers; one that has ended is started again, as whatever runs it would."""
        wait_for(self._answers, 60, "the web process to answer")

    def start_worker(self, *roles: str, name: str = "worker", **environment: str) -> None:
        """Starts `worker.py` with these roles (none: the sensible set)."""
        self._start(name, [*([] if self.forked else [sys.executable]), "worker.py", *roles], environment)

    def register_webhook(self) -> None:
        """Has the simulator deliver updates to the web process."""
        self.flask("telegram", "register-webhook")

    def flask(self, *words: str) -> str:
        """Runs a `flask` command; raises AssertionError with its output when it fails."""
        return self._run("flask", "--app", "wsgi", *words)

    def python(self, code: str) -> str:
        """Runs a piece of Python inside the application of this installation; returns what it printed."""
        script = "from wsgi import app\nwith app.app_context():\n" + textwrap.indent(textwrap.dedent(code), "    ")
        return self._run("-c", script)

    def _run(self, *command: str) -> str:
        status, output, errors = server_for(self.environment).run(command, self._env({}), PATIENCE)
        assert status == 0, output + errors
        return output

    def kill(self, name: str) -> None:
        """SIGKILLs a process and waits for its end."""
        self._orphans += _children(self.processes[name].pid)
        self.processes[name].kill()
        self.processes.pop(name).wait(60)

    def children(self, name: str) -> list[int]:
        """The process ids of a supervisor's children."""
        return [child.pid for child in _children(self.processes[name].pid)]

    def stopped(self, pids: Sequence[int]) -> list[int]:
        """Those of the processes that a signal has stopped."""
        return [pid for pid in pids if _state(pid) == psutil.STATUS_STOPPED]

    def stop(self) -> None:
        """Ends everything, also what was stopped by a signal, and what outlives its parent by a moment."""
        for process in self.processes.values():
            children = _children(process.pid) if process.poll() is None else []
            for pid in (*(child.pid for child in children), process.pid):
                _signal(pid, signal.SIGCONT)
            self._orphans += children
            process.terminate()
        for process in self.processes.values():
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(60)
        _, left = psutil.wait_procs(self._orphans, 5)
        for orphan in left:
            orphan.kill()
        self.processes.clear()
        self.http.close()
        self.box.stop()

    def _start(self, name: str, command: Sequence[str], environment: dict[str, str] | None = None) -> None:
        variables = self._env(environment or {})
        with (self.folder / f"{name}.log").open("ab") as output:
            if self.forked:
                self.processes[name] = server_for(variables).start(command, variables, output, output)
            else:
                self.processes[name] = subprocess.Popen(
                    command, cwd=ROOT, env=variables, stdout=output, stderr=subprocess.STDOUT
                )

    def _env(self, more: dict[str, str]) -> dict[str, str]:
        return {name: os.environ[name] for name in ("HOME", "LANG", "TMPDIR") if name in os.environ} | (
            self.environment | more
        )

    def _answers(self) -> bool:
        if self.processes["web"].poll() is not None:
            self._start_web()
        try:
            return self.http.get(f"{self.url}/health", timeout=2).status_code == 200
        except requests.RequestException:
            return False

    def log(self, name: str) -> str:
        """What a process printed."""
        return (self.folder / f"{name}.log").read_text(errors="replace")[-5000:]

    # --- failpoints, clock ---

    @property
    def _hits(self) -> Path:
        return self.failpoints.with_name("failpoints.hits")

    def set_failpoints(self, *rules: str) -> None:
        """Replaces the rules, at once for every process."""
        fresh = self.failpoints.with_suffix(".new")
        fresh.write_text("\n".join(rules))
        fresh.replace(self.failpoints)

    def hits(self, name: str) -> int:
        """How often a failpoint acted."""
        lines = self._hits.read_text().splitlines() if self._hits.exists() else []
        return sum(line.startswith(f"{name} ") for line in lines)

    def wait_for_hit(self, name: str, before: int) -> None:
        """Waits until a failpoint has acted more often than `before`."""
        wait_for(lambda: self.hits(name) > before, 20, f"a hit of {name}")

    def set_clock(self, moment: datetime) -> None:
        """Moves every process's clock to this moment, from which it goes on."""
        self._offset = moment.timestamp() - time.time()
        fresh = self.clock_file.with_suffix(".new")
        fresh.write_text(str(self._offset))
        fresh.replace(self.clock_file)

    def move_clock(self, seconds: float) -> None:
        """Moves every process's clock on by so much."""
        self.set_clock(datetime.now(UTC) + timedelta(seconds=self._offset + seconds))

    # --- the API ---

    def api(self, method: str, path: str, body: Any = None, *, status: int | None = None, **options: Any) -> Any:
        """Calls the API as the registered person; asserts the status when one is given."""
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        answer = self.http.request(
            method,
            f"{self.url}{path}",
            json=body,
            headers=headers | options.pop("headers", {}),
            timeout=PATIENCE,
            **options,
        )
        if status is not None:
            assert answer.status_code == status, (answer.status_code, answer.text)
        return answer.json()

    def register(self, email: str = "ada@example.com") -> dict[str, Any]:
        """Makes a workspace and signs in as its admin."""
        body = {"email": email, "password": "correct horse battery", "name": "Ada", "workspace": "Example"}
        answer: dict[str, Any] = self.api("POST", "/api/auth/register", body, status=201)
        self.token = answer["access_token"]
        return answer

    def link(self, first_name: str = "Sam") -> dict[str, Any]:
        """Links the signed-in person to a new simulated one by the deep link; returns the simulated person."""
        address = self.api("GET", "/api/telegram/link-account", status=200)["linking_url"]
        person = self.box.person(first_name)
        self.box.open_link(person, address)
        wait_for(lambda: self.api("GET", "/api/telegram/status")["telegram_enabled"], 30, "the link")
        wait_for(self.settled, 20, "the bot's words on it")
        return person

    def settled(self) -> bool:
        """Whether nothing waits to be processed or said."""
        waiting = "SELECT (SELECT count(*) FROM deliveries), (SELECT count(*) FROM webhook_events WHERE state = 'new')"
        return self.rows(waiting) == [(0, 0)]

    # --- the database ---

    def rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        """Reads from the database directly."""
        with psycopg.connect(self.environment["DATABASE_URL"], autocommit=True) as connection:
            return connection.execute(query, values).fetchall()


def wait_for(condition: Callable[[], Value], seconds: float, what: str) -> Value:
    """Polls until `condition` returns something true; fails naming `what` was waited for.

    `seconds` is what it may take on a machine with nothing else to do; a busy one is given `PATIENCE` at least.
    """
    deadline = time.monotonic() + max(seconds, PATIENCE)
    while True:
        found = condition()
        if found:
            return found
        assert time.monotonic() < deadline, f"waited {max(seconds, PATIENCE):.0f} s for {what}"
        time.sleep(0.05)


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@functools.cache
def _folder_of_forked() -> Path:
    """Where this test process keeps the failpoints and the clock of what it forks: their places are fixed."""
    folder = Path(tempfile.mkdtemp(prefix="switchboard-test-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def _children(pid: int) -> list[psutil.Process]:
    try:
        return psutil.Process(pid).children()
    except psutil.NoSuchProcess:
        return []


def _state(pid: int) -> str:
    try:
        return str(psutil.Process(pid).status())
    except psutil.NoSuchProcess:
        return ""


def _signal(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return
