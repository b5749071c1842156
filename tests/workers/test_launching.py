"""A forked child ends as a program does, whatever it raises, and never goes on as its parent."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from backend.workers import launching

ROOT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.skipif(not launching.FORKS, reason="children are programs of their own here")


def fork(body: str) -> subprocess.CompletedProcess[str]:
    """Forks a child that runs this, by a parent that catches what a supervisor does, and says how the child ended."""
    script = f"""
import os, sys
from backend.workers.launching import launch_fork

def run_child(role, parent, name, predecessor):
{textwrap.indent(textwrap.dedent(body), "    ")}

parent = os.getpid()
try:
    child = launch_fork(run_child)("jobs", "host:jobs:1", None)
except OSError:
    print("went on as the parent", os.getpid() != parent)
else:
    print("status", child.wait(60))
"""
    return subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ("return 0", 0),
        ("return 78", 78),
        ("sys.exit(3)", 3),
        ("raise OSError('no more files')", 1),
        ("raise RuntimeError('a defect')", 1),
        ("os.kill(os.getpid(), 9)", -9),
    ],
)
def test_a_child_ends_with_its_own_status(body: str, status: int) -> None:
    ended = fork(body)
    assert ended.stdout == f"status {status}\n", ended.stderr


def test_a_child_knows_its_parent_its_name_and_in_whose_place_it_is() -> None:
    ended = fork("print(role, parent == os.getppid(), name, predecessor, flush=True); return 0")
    assert ended.stdout == "jobs True host:jobs:1 None\nstatus 0\n", ended.stderr
