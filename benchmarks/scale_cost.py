"""What housekeeping costs over a history, by the product's own functions: `python -m benchmarks.scale_cost PID BATCH`,
with PostgreSQL's process, the rows of a batch of retention and the product's environment.

Prints milliseconds of CPU, of PostgreSQL and of this process together, for each kind of work.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from datetime import timedelta

from sqlalchemy import text

from backend.app import create_app
from backend.core import clock
from backend.core.database import db, for_loop, system_scope
from backend.services.housekeeping import retention, rounds
from benchmarks import cpu

_ROUNDS = 60
_BATCHES = 6
_RULES = ("attempts", "processed webhook events")


def main(postgres_pid: int, batch: int) -> None:
    """Measures rounds of the sweep, and batches of retention."""
    app = create_app()
    with app.app_context():
        engine = for_loop(db.engine)

        def sweep() -> None:
            rounds.run_parts(["sweep"], engine)

        spent = {"sweep": _cost(postgres_pid, sweep, _ROUNDS)}
        for name, age, statement in retention.RULES:
            if name in _RULES:
                spent[name] = _cost(postgres_pid, _batch(statement, age, batch), _BATCHES)
        engine.dispose()
    sys.stdout.write(json.dumps(spent))


def _batch(statement: str, age: timedelta, batch: int) -> Callable[[], None]:
    def delete() -> None:
        values = {"before": clock.now() - age, "most": batch}
        with system_scope("retention serves every workspace"):
            ended: int = db.session.execute(text(statement), values).rowcount  # type: ignore[attr-defined]
            db.session.commit()
        if ended != batch:
            raise SystemExit(f"ended {ended} rows instead of {batch}")

    return delete


def _cost(postgres_pid: int, work: Callable[[], None], times: int) -> float:
    work()
    before = cpu.seconds([postgres_pid]) + cpu.of_this_process()
    for _ in range(times):
        work()
    return (cpu.seconds([postgres_pid]) + cpu.of_this_process() - before) / times * 1000


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
