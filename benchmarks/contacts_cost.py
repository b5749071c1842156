"""Imports a file of contacts in this process, as a worker does, and prints what it took, as JSON.

`python -m benchmarks.contacts_cost FILE WORKSPACE [--keep]` with the product's environment: seconds of each step, CPU
seconds of this process and of its connection, the most memory in MB. With `--keep` the import is not undone.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
from sqlalchemy import text

from backend.app import create_app
from backend.core.database import db, system_scope, workspace_scope
from backend.core.work import Turn
from backend.services.auth.attribution import COMMAND_LINE
from backend.services.contacts.imports import administration, work


def main() -> None:
    """Checks, runs and undoes the import of the file."""
    path, workspace_id = Path(sys.argv[1]), int(sys.argv[2])
    with create_app().app_context(), workspace_scope(workspace_id):
        with system_scope("a measurement"):
            backend = psutil.Process(db.session.execute(text("SELECT pg_backend_pid()")).scalar_one())
            db.session.rollback()
        with path.open("rb") as stream:
            import_id = administration.create(COMMAND_LINE, filename=path.name, stream=stream).id
        db.session.commit()
        spent: dict[str, Any] = {"check": _spent(backend, lambda: None)}
        spent["run"] = _spent(backend, lambda: administration.run(COMMAND_LINE, import_id))
        db.session.expire_all()
        job = administration.get(import_id)
        spent["created"] = job.counts.get("create", 0)
        spent["memory"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        if "--keep" not in sys.argv[3:]:
            spent["undo"] = _spent(backend, lambda: administration.undo(COMMAND_LINE, import_id))
    print(json.dumps(spent))


def _spent(backend: psutil.Process, begin: Callable[[], object]) -> dict[str, float]:
    """Does what is due after `begin`; the seconds that it took, and those of CPU here and in PostgreSQL."""
    begin()
    db.session.commit()
    began, cpu, before = time.perf_counter(), time.process_time(), _of(backend)
    work.work_on(Turn(seconds=3600))
    return {
        "seconds": time.perf_counter() - began,
        "python": time.process_time() - cpu,
        "postgres": _of(backend) - before,
    }


def _of(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


if __name__ == "__main__":
    main()
