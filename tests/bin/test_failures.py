"""What failed is said last, a line each: with a thousand dots above it nobody finds it otherwise."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from launcher.test import _say_what_failed
from tests.bin.conftest import ROOT

BROKEN = '''
import pytest

@pytest.fixture
def away():
    raise OSError("nobody is there")

def test_good():
    assert True

def test_bad():
    """Two lines of a reason."""
    assert [1, 2] == [1], "the second\\nis too much"

def test_without_its_fixture(away):
    assert away
'''
HOOK = """
from tests.support import failures

def pytest_terminal_summary(terminalreporter):
    failures.write(terminalreporter.stats)
"""


def run(folder: Path, test: str) -> list[str]:
    """The lines that a run of these tests leaves."""
    (folder / "test_broken.py").write_text(test)
    (folder / "conftest.py").write_text(HOOK)
    (folder / "pytest.ini").write_text("[pytest]\n")
    told = folder / "failures"
    variables = {name: value for name, value in os.environ.items() if not name.startswith(("TEST_", "PYTEST_"))}
    subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(folder), str(folder)],
        cwd=folder,
        env=variables | {"TEST_FAILURES_FILE": str(told), "PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
        check=False,
    )
    return told.read_text().splitlines()


def test_each_failure_is_a_line_with_its_reason(tmp_path: Path) -> None:
    assert run(tmp_path, BROKEN) == [
        "test_broken.py::test_bad: AssertionError: the second",
        "test_broken.py::test_without_its_fixture: OSError: nobody is there (in its setup)",
    ]


def test_a_file_that_cannot_be_read_is_one_too(tmp_path: Path) -> None:
    (line,) = run(tmp_path, "import no_such_module")
    assert line.startswith("test_broken.py: ")
    assert "no_such_module" in line


def test_they_are_printed_after_everything_else(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = tmp_path / "failures"
    _say_what_failed(told)
    told.write_text("")
    _say_what_failed(told)
    assert capsys.readouterr().out == ""
    told.write_text("a.py::test_b: KeyError: 'c'\n")
    _say_what_failed(told)
    assert capsys.readouterr().out == "── failed tests\na.py::test_b: KeyError: 'c'\n"
