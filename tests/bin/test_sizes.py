"""Files stay small enough to be read as one."""

from __future__ import annotations

import subprocess

from tests.bin.conftest import ROOT

MAX_LINES = 400
LEFT_OUT = ("migrations/versions/",)
"""A migration is one step, however long, and is not changed afterwards."""


def test_no_file_of_python_is_too_long() -> None:
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "*.py"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
    paths = [ROOT / name for name in listed if not name.startswith(LEFT_OUT)]
    lengths = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in paths if path.is_file()}
    assert len(lengths) > 800
    assert {str(path.relative_to(ROOT)): count for path, count in lengths.items() if count > MAX_LINES} == {}
