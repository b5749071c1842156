"""What a worker's application brings along: children share its memory, and each megabyte counts on small machines."""

from __future__ import annotations

import subprocess
import sys

import pytest

USED_BY_FEW = ("openpyxl", "telethon", "botocore", "apiflask", "alembic", "uvicorn")


@pytest.mark.parametrize("name", USED_BY_FEW)
def test_a_worker_does_without_what_few_works_use(name: str, imported: set[str]) -> None:
    assert name not in imported


@pytest.fixture(scope="module")
def imported() -> set[str]:
    """The names of all modules that a worker's application imports."""
    code = "import sys\nfrom backend.workers import application\nprint('\\n'.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, check=True)
    return set(done.stdout.split())
