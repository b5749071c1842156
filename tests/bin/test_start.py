"""`bin/start` runs the Procfile's processes, and the container's files start all of them by it."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "bin").mkdir()
    shutil.copy(ROOT / "bin" / "start", tmp_path / "bin" / "start")
    (tmp_path / "Procfile").write_text(
        "release: true\nweb: echo port ${PORT:-8000}: all  of it\nworker: sh -c 'exit 7'\n"
    )
    return tmp_path


def start(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [folder / "bin" / "start", *arguments],
        env={"PATH": "/usr/bin:/bin", **environment},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def test_a_process_runs_as_its_line_says_with_the_environment_given(folder: Path) -> None:
    assert start(folder, "web").stdout == "port 8000: all of it\n"
    assert start(folder, "web", PORT="9").stdout == "port 9: all of it\n"


def test_its_exit_code_is_the_commands(folder: Path) -> None:
    assert start(folder, "worker").returncode == 7


@pytest.mark.parametrize("arguments", [(), ("nobody",), ("we",), ("",)])
def test_another_name_is_told_which_there_are(folder: Path, arguments: tuple[str, ...]) -> None:
    ended = start(folder, *arguments)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr == "usage: bin/start release|web|worker\n"


def test_the_commands_of_the_environment_are_found_first(folder: Path) -> None:
    (folder / ".venv" / "bin").mkdir(parents=True)
    own = folder / ".venv" / "bin" / "flask"
    own.write_text("#!/bin/sh\necho own $1\n")
    own.chmod(0o755)
    (folder / "Procfile").write_text("release: flask upgrade\n")
    assert start(folder, "release").stdout == "own upgrade\n"


def test_the_compose_file_starts_every_process_of_the_procfile() -> None:
    processes = re.findall(r"^(\w+):", (ROOT / "Procfile").read_text(), re.MULTILINE)
    commands = re.findall(r'^    command: \["(\w+)"\]$', (ROOT / "compose.yaml").read_text(), re.MULTILINE)
    assert sorted(commands) == sorted(processes)


def test_the_image_starts_by_the_same_command_and_holds_no_secrets() -> None:
    image = (ROOT / "Dockerfile").read_text()
    assert 'ENTRYPOINT ["bin/start"]' in image
    assert "-r requirements.txt" in image
    assert {".env", ".env.*", ".git", "var"} <= set((ROOT / ".dockerignore").read_text().splitlines())
