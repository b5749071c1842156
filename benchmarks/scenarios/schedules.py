"""10,000 schedules due in one minute, among as many that are not, claimed by two processes at once: the CPU it takes,
and whether each fired once.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

from benchmarks.result import Options, Result, median_of
from benchmarks.seeding import Seeding
from benchmarks.stage import ROOT, Stage, stage

NAME = "schedules"
_PROCESSES = 2

_PLAN = """
    INSERT INTO schedules (workspace_id, job, subject_id, kind, cron, timezone, next_fire_at, created_at)
    SELECT %(workspace)s, 'scheduled_message', n, 'cron', (n %% 60) || ' ' || (n %% 24) || ' * * ' || (n %% 7),
           (ARRAY['UTC', 'Asia/Seoul', 'Europe/Berlin', 'America/New_York'])[1 + n %% 4],
           CASE WHEN n <= %(due)s THEN now() - (n %% 60) * interval '1 second' ELSE now() + interval '3 days' END, now()
      FROM generate_series(1, 2 * %(due)s) AS n
"""


def run(options: Options) -> Result:
    """See the module."""
    result = Result(NAME)
    due = 2_000 if options.quick else 10_000
    with stage() as on:
        seeding = Seeding(on)
        workspace_id = seeding.workspace()
        for _ in range(options.passes):
            on.execute("TRUNCATE schedules CASCADE")
            seeding.connection.execute(_PLAN, {"workspace": workspace_id, "due": due})
            seeding.connection.execute("ANALYZE schedules")
            result.passes.append(_round(on))
    if any(figures["fires"] != due or figures["claimed"] != due for figures in result.passes):
        result.void.append(f"not each of {due} fired once")
    result.add(f"claiming {due:,} schedules of one minute", median_of(result.passes, "cpu"), "s of CPU", 5.0)
    result.add("of that, PostgreSQL", median_of(result.passes, "postgres"), "s of CPU")
    return result


def _round(on: Stage) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.schedules_cost"]
    children = [
        subprocess.Popen(command, cwd=ROOT, env=on.variables(), stdout=subprocess.PIPE) for _ in range(_PROCESSES)
    ]
    reports = [json.loads(child.communicate()[0]) for child in children]
    spent = {name: sum(report[name] for report in reports) for name in ("claimed", "python", "postgres")}
    fires = on.number("SELECT count(DISTINCT schedule_id) FROM schedule_fires")
    return spent | {"cpu": spent["python"] + spent["postgres"], "fires": fires}
