"""What bin/dev starts again when a file has changed, and what bin/run opens the database with."""

from __future__ import annotations

import asyncio
import subprocess
from pathlib import Path

import pytest

from embedded.postgres import client
from launcher import reloading
from launcher.run import psql

ROOT = Path("/project")


@pytest.mark.parametrize(
    ("changed", "names"),
    [
        ("backend/http/console/alerts/views.py", {"web"}),
        ("backend/http/console/alerts/templates/alerts/rows.html", {"web"}),
        ("backend/http/console/static/js/live.js", {"web"}),
        ("backend/asgi/application.py", {"web"}),
        ("asgi.py", {"web"}),
        ("backend/jobs/intake.py", {"worker"}),
        ("worker.py", {"worker"}),
        ("backend/services/linking/__init__.py", {"web", "worker", "poll"}),
        ("backend/locales/ko/alerts.json", {"web", "worker", "poll"}),
        ("simulator/api.py", {"simulator"}),
        ("tests/core/test_clock.py", set()),
        ("backend/core/clock.pyc", set()),
        ("docs/console.md", set()),
        ("../elsewhere/backend/app.py", set()),
    ],
)
def test_a_change_concerns_the_processes_that_run_the_file(changed: str, names: set[str]) -> None:
    assert reloading.concerned([(ROOT / changed).resolve()], ROOT) == names


def test_the_files_that_change_are_told(tmp_path: Path) -> None:
    (tmp_path / "backend").mkdir()

    async def first_change() -> set[Path]:
        stopping = asyncio.Event()
        writing = asyncio.create_task(write())
        async for found in reloading.changes(stopping, tmp_path):
            writing.cancel()
            stopping.set()
            return found
        raise AssertionError("no change was told")

    async def write() -> None:
        """Again and again: when the watching has begun is not told."""
        for number in range(1000):
            (tmp_path / "backend/app.py").write_text(str(number))
            await asyncio.sleep(0.05)

    assert asyncio.run(asyncio.wait_for(first_change(), 60)) == {tmp_path / "backend/app.py"}


def test_psql_is_the_installed_one_and_else_that_of_the_embedded_server(tmp_path: Path) -> None:
    variables = {"DATABASE_URL": "postgresql+psycopg://somebody@localhost/switchboard", "PATH": str(tmp_path)}
    assert psql(["-c", "select 1"], variables) == [
        str(client()), "postgresql://somebody@localhost/switchboard", "-c", "select 1",
    ]  # fmt: skip
    own = tmp_path / "psql"
    own.touch(0o755)
    assert psql([], variables)[0] == str(own)
    assert subprocess.run([client(), "--version"], capture_output=True, check=True).stdout.startswith(b"psql")
