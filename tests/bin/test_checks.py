"""bin/test and bin/check tell a failed check from a passed one, and leave nothing of it running."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from launcher.checks import passes
from tests.bin.conftest import eventually, is_gone


def test_a_checks_exit_code_decides(capfd: pytest.CaptureFixture[str]) -> None:
    assert passes("good", [sys.executable, "-c", "print('fine')"], {})
    assert not passes("bad", [sys.executable, "-c", "raise SystemExit(3)"], {})
    said = capfd.readouterr().out
    assert "fine" in said
    assert "good: passed" in said
    assert "bad: failed (3)" in said


def test_what_a_check_leaves_running_is_ended(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    assert passes("leaky", ["sh", "-c", f'sleep 1000 & echo $! >"{pid_file}"'], {})
    pid = int(pid_file.read_text())
    eventually(lambda: is_gone(pid), "the process is gone")


def test_a_check_gets_the_servers_and_our_programs() -> None:
    code = "import os, sys; sys.exit(os.environ['TEST_X'] != '1' or '/.venv/bin' not in os.environ['PATH'])"
    assert passes("environment", [sys.executable, "-c", code], {"TEST_X": "1"})
