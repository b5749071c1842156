"""bin/dev in a copy of the project: everything comes up, and nothing is left of it, however it ends."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from launcher.dev import _forget
from tests.bin.conftest import ROOT, eventually, is_gone

COPIED = (
    ".flaskenv", "backend", "bin", "migrations", "simulator", "Procfile", "asgi.py", "wsgi.py", "worker.py"
)  # fmt: skip

#: Everything that a person may have set, which would lead the copy elsewhere.
LEFT_OUT = re.compile(
    r"^(TELEGRAM_|META_|AI_|TEST_|FAILPOINTS|FLASK_)|_URL$|^(HOST|PORT|SIMULATOR_(MTPROTO_)?PORT)$|_KEYS?$"
)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Project:
    """A copy of the project with ports of its own, sharing this run's virtual environment."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        # With their times, so that what is compiled already need not be compiled again.
        subprocess.run(["cp", "-Rp", *(str(ROOT / name) for name in COPIED), str(folder)], check=True)
        (folder / ".venv").symlink_to(ROOT / ".venv")
        self.web, self.phone = _free_port(), _free_port()
        kept = {name: value for name, value in os.environ.items() if not LEFT_OUT.search(name)}
        ports = {"PORT": self.web, "SIMULATOR_PORT": self.phone, "SIMULATOR_MTPROTO_PORT": _free_port()}
        self.environment = kept | {name: str(port) for name, port in ports.items()}
        self.output = folder / "output.txt"

    def command(self, *arguments: str) -> list[str]:
        """What bin/dev and bin/run execute after bin/setup."""
        return [sys.executable, "bin", *arguments]

    def dev(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Start bin/dev and wait until it says that everything runs."""
        with self.output.open("wb") as out:
            process = subprocess.Popen(
                self.command("dev", *arguments),
                cwd=self.folder,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
            )
        eventually(lambda: "Switchboard runs" in self.text or process.poll() is not None, "it runs", seconds=120)
        assert process.poll() is None, self.text
        return process

    def run(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run one of our commands to its end."""
        environment = self.environment | variables
        return subprocess.run(
            self.command(*arguments),
            cwd=self.folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )

    @property
    def text(self) -> str:
        """What bin/dev has written."""
        return self.output.read_text()

    def processes(self) -> list[psutil.Process]:
        """Everything alive that works in this folder."""
        found = []
        for process in psutil.process_iter():
            try:
                inside = process.cwd().startswith(str(self.folder)) or str(self.folder) in " ".join(process.cmdline())
            except psutil.Error:
                continue
            if inside and not is_gone(process.pid):
                found.append(process)
        return found


def _is_answered(url: str) -> bool:
    try:
        with urllib.request.urlopen(url) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    """A fresh copy; what still runs at the end of the test is killed."""
    made = Project(tmp_path / "project")
    yield made
    for process in made.processes():
        process.kill()


@pytest.mark.slow
def test_everything_comes_up_and_nothing_is_left(project: Project) -> None:
    first = project.dev()
    with urllib.request.urlopen(f"http://127.0.0.1:{project.web}/health") as answer:
        assert answer.status == 200
    with urllib.request.urlopen(f"http://127.0.0.1:{project.phone}/") as answer:
        assert answer.status == 200
    assert "Password" in project.text, "the login is printed once"
    assert (project.folder / ".env").stat().st_mode & 0o777 == 0o600

    second = project.run("dev")
    assert (second.returncode, second.stderr) == (1, f"bin/dev: already running here (process {first.pid})\n")
    elsewhere = project.run("run", "flask", "db", "current")
    assert "(head)" in elsewhere.stdout, "a command in another terminal uses the same database"

    rows = project.run("run", "psql", "-At", "-c", "select count(*) from workspaces")
    assert (rows.returncode, rows.stdout) == (0, "1\n"), rows.stderr

    source = project.folder / "backend/http/console/search/views.py"
    source.write_text(f"{source.read_text()}\nCHANGED = True\n")
    eventually(lambda: "changed code: starting web again" in project.text, "the web process starts again")
    eventually(lambda: _is_answered(f"http://127.0.0.1:{project.web}/health"), "it answers again")

    first.kill()
    first.wait()
    eventually(lambda: not project.processes(), "nothing is left after SIGKILL")

    again = project.dev()
    assert "Password" not in project.text
    again.send_signal(signal.SIGINT)
    assert again.wait(60) == 0
    assert project.processes() == []
    assert not (project.folder / "var" / "dev.json").exists()


@pytest.mark.parametrize("variable", ["PORT", "SIMULATOR_PORT", "SIMULATOR_MTPROTO_PORT"])
def test_a_taken_port_is_named_before_anything_starts(project: Project, variable: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        refused = project.run("dev", **{variable: port})
    assert refused.returncode == 1
    assert f"cannot listen on 127.0.0.1 port {port}" in refused.stderr
    assert f"choose another with {variable}=" in refused.stderr
    assert not (project.folder / "var" / "postgres").exists()


def test_a_port_that_is_none_is_refused(project: Project) -> None:
    refused = project.run("dev", PORT="http")
    assert (refused.returncode, refused.stderr) == (1, "bin/dev: PORT=http is not a port number\n")


def test_a_command_needs_a_running_bin_dev(project: Project) -> None:
    refused = project.run("run", "flask", "--help")
    assert refused.returncode == 1
    assert "bin/dev is not running here" in refused.stderr


def test_reset_forgets_all_but_the_lock(tmp_path: Path) -> None:
    (tmp_path / "postgres" / "cluster").mkdir(parents=True)
    (tmp_path / "media").symlink_to(tmp_path.parent)
    (tmp_path / "simulator.json").write_text("{}")
    (tmp_path / "dev.lock").write_text("1")
    _forget(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["dev.lock"]
    assert tmp_path.parent.exists()
