"""bin/new in a copy of the tree: what it makes passes its tests, the tests that compare things, and the checks."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from launcher import new
from launcher.checks import static_checks
from tests.bin.conftest import ROOT

_SHELL = "tests/http/console/test_shell.py"
TESTS = (
    "tests/http/console/test_parcels.py",
    "tests/http/console/test_templates.py",
    f"{_SHELL}::test_every_other_page_is_guarded_as_a_page",
    f"{_SHELL}::test_who_is_not_signed_in_is_led_to_the_sign_in",
    f"{_SHELL}::test_a_write_without_the_forms_token_or_from_elsewhere_changes_nothing",
    f"{_SHELL}::test_pages_ask_for_their_role",
    f"{_SHELL}::test_every_page_carries_the_strict_policy_and_nothing_inline",
    "tests/services/housekeeping/test_count_parcels.py",
    "tests/workers/test_registered_jobs.py",
    "tests/core/test_work.py",
    "tests/core/test_i18n.py",
    "tests/bin/test_words.py",
)
_SERVERS = ("TEST_DATABASE_URL", "TEST_REDIS_URL", "PYTEST_XDIST_TESTRUNUID")
"""Of this run, which the copy's tests use too: they have a database of their own on them, from the run's template."""
QUICK = ("format", "lint", "templates", "import layers")
"""The checks that read the copy in seconds; the types of what was made are looked at below."""


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The tree as it stands, with this run's environment."""
    folder = tmp_path / "project"
    folder.mkdir()
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
    for name in listed:
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    _copy_what_is_known(listed, folder)
    (folder / ".venv").symlink_to(ROOT / ".venv")
    return folder


def _copy_what_is_known(sources: list[str], folder: Path) -> None:
    """Copies what Python, pytest and mypy have kept of the sources, which have the same times in the copy."""
    for cache in {Path(name).parent / "__pycache__" for name in sources if name.endswith(".py")}:
        if (ROOT / cache).is_dir():
            shutil.copytree(ROOT / cache, folder / cache)
    for kept in (ROOT / ".mypy_cache").glob("3.*/*.db"):
        copied = folder / kept.relative_to(ROOT)
        copied.parent.mkdir(parents=True, exist_ok=True)
        # The checks may be writing to it.
        address = f"{kept.as_uri()}?mode=ro"
        with closing(sqlite3.connect(address, uri=True)) as source, closing(sqlite3.connect(copied)) as target:
            source.backup(target)


def run(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """A command in the copy."""
    variables = {
        name: value
        for name, value in os.environ.items()
        if name in _SERVERS or not name.startswith(("TEST_", "PYTEST_"))
    }
    return subprocess.run(
        command, cwd=folder, env=variables, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
    )


@pytest.mark.slow
def test_a_page_and_a_job_pass_everything_as_they_are_made(copy: Path) -> None:
    for kind, name in (("page", "parcels"), ("job", "count_parcels")):
        made = run(copy, sys.executable, "bin", "new", kind, name)
        assert made.returncode == 0, made.stderr
        assert all((copy / path).is_file() for path in made.stdout.split())
    for name, command in static_checks():
        if name in QUICK:
            checked = run(copy, *(part.replace(str(ROOT), str(copy)) for part in command))
            assert checked.returncode == 0, (name, checked.stdout, checked.stderr)
    tested = run(copy, sys.executable, "-m", "pytest", "-q", *TESTS)
    assert tested.returncode == 0, tested.stdout[-4000:]
    typed = run(
        copy,
        sys.executable, "-m", "mypy",
        "backend/http/console/parcels/views.py", "backend/services/housekeeping/count_parcels.py",
        "tests/services/housekeeping/test_count_parcels.py",
    )  # fmt: skip
    assert typed.returncode == 0, typed.stdout


@pytest.mark.parametrize("name", ["Parcels", "1st", "a", "a-b", "class", "x" * 40, "../x"])
def test_a_name_that_cannot_be_one_makes_nothing(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["new", "page", name])
    assert new.main() == 1


@pytest.mark.parametrize(("kind", "name"), [("page", "alerts"), ("page", "kit"), ("job", "retention")])
def test_what_there_is_already_is_not_overwritten(
    kind: str, name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["new", kind, name])
    assert new.main() == 1
    assert "already" in capsys.readouterr().err


def test_without_a_kind_it_says_how_it_is_used(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["new", "channel", "x"])
    assert new.main() == 2
    assert "bin/new page NAME" in capsys.readouterr().out
