"""What claiming all schedules that are due costs, by the scheduler's own function: `python -m
benchmarks.schedules_cost` with the product's environment. Prints how many it fired, and the CPU seconds of this process
and of its connection.
"""

from __future__ import annotations

import json
import sys
import time

import psutil
from sqlalchemy import text

from backend.app import create_app
from backend.core.database import db, system_scope
from backend.services import scheduling


def main() -> None:
    """Claims until nothing is due."""
    app = create_app()
    with app.app_context():
        with system_scope("a measurement"):
            backend = psutil.Process(db.session.execute(text("SELECT pg_backend_pid()")).scalar_one())
            db.session.rollback()
        before, began, claimed = _spent(backend), time.process_time(), 0
        while taken := scheduling.claim():
            claimed += taken
        figures = {"claimed": claimed, "python": time.process_time() - began, "postgres": _spent(backend) - before}
    sys.stdout.write(json.dumps(figures))


def _spent(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


if __name__ == "__main__":
    main()
