"""Each process knows every job: what lists and triggers them is another process than what runs them."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from tests.test_docs import ROOT, page, rows

_LIST = """
import json, sys
import {module}
from backend.services.scheduling import system_jobs
json.dump([job.name for job in system_jobs.registered()], sys.stdout)
"""


@pytest.mark.parametrize("module", ["backend.app", "backend.services.housekeeping"])
def test_a_fresh_process_knows_the_jobs_that_are_documented(module: str) -> None:
    code = _LIST.format(module=module)
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    known: Any = json.loads(done.stdout) if done.returncode == 0 else done.stderr
    section = page("scheduling.md").partition("## System jobs")[2]
    documented = [cells[0].strip("`") for cells in rows(section) if len(cells) == 3 and cells[0] != "job"]
    assert known == sorted(documented)
