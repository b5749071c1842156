"""bin/test and bin/check tell a failed check from a passed one, and leave nothing of it running."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from launcher.checks import Beside, passes
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


def test_what_runs_beside_is_printed_once_it_is_waited_for(capfd: pytest.CaptureFixture[str]) -> None:
    with Beside("good", [sys.executable, "-c", "print('fine')"]) as good:
        with Beside("bad", [sys.executable, "-c", "raise SystemExit('not so')"]) as bad:
            assert capfd.readouterr().out == ""
            assert not bad.passes()
            assert capfd.readouterr().out == "── bad, meanwhile\nnot so\n"
        assert good.passes()
    assert capfd.readouterr().out == "── good, meanwhile\nfine\n"


def test_what_runs_beside_ends_with_what_it_runs_beside(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    with Beside("long", ["sh", "-c", f'sleep 1000 & echo $! >"{pid_file}"; wait']):
        eventually(lambda: pid_file.exists() and pid_file.read_text(), "it runs")
    pid = int(pid_file.read_text())
    eventually(lambda: is_gone(pid), "the process is gone")


def test_a_check_gets_the_servers_and_our_programs() -> None:
    code = "import os, sys; sys.exit(os.environ['TEST_X'] != '1' or '/.venv/bin' not in os.environ['PATH'])"
    assert passes("environment", [sys.executable, "-c", code], {"TEST_X": "1"})
