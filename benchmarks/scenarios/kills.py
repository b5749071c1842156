"""Campaigns and accounts whose processes are killed at every step of their way, at least ten times at each: who gets
what how often.

These are the tests of `tests/processes/test_campaigns.py`, `test_accounts.py` and `test_account_outages.py` in their
long form; a pass is a whole installation with the simulated Telegram. Judged by the simulator's log. Those of the
dispatcher, the intake and the alerts run in theirs too.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time

from benchmarks.result import ROOT, Options, Result

NAME = "kills"
_HITS = 10
_SECONDS = 3600
_OUTAGE_SECONDS = "90"
"""Longer than a lease of an account lasts without being renewed, with what its successor waits besides."""
_OTHERS = ("tests/processes/test_crashes.py", "tests/processes/test_alerts.py")
_LONG_ALERTS = {"ALERT_STORM": "10000", "ALERT_GROUP": "500"}
_COUNTS = re.compile(r"kills (\d+), failpoints (\d+), people (\d+), written to once (\d+)")


def run(options: Options) -> Result:
    """See the module."""
    result = Result(NAME)
    hits = 2 if options.quick else _HITS
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-s", "-p", "no:cacheprovider", "tests/processes/test_campaigns.py"],
        cwd=ROOT,
        env=os.environ | {"CAMPAIGN_KILLS": str(hits)},
        capture_output=True,
        text=True,
        timeout=_SECONDS,
    )
    counts = _COUNTS.search(done.stdout)
    if counts is None:
        raise RuntimeError(done.stdout[-4000:] + done.stderr[-2000:])
    kills, failpoints, people, once = (int(number) for number in counts.groups())
    accounts = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/processes/test_accounts.py"],
        cwd=ROOT,
        env=os.environ | {"ACCOUNT_KILLS": str(hits)},
        capture_output=True,
        timeout=_SECONDS,
    )
    outages = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/processes/test_account_outages.py"],
        cwd=ROOT,
        env=os.environ | {"ACCOUNT_OUTAGE": "2" if options.quick else _OUTAGE_SECONDS},
        capture_output=True,
        timeout=_SECONDS,
    )
    others = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *_OTHERS],
        cwd=ROOT,
        env=os.environ | {"CRASH_KILLS": str(hits)} | ({} if options.quick else _LONG_ALERTS),
        capture_output=True,
        timeout=_SECONDS,
    )
    seconds = time.monotonic() - began
    result.passes.append({"kills": kills, "people": people, "seconds": seconds, "passed": done.returncode == 0})
    result.add("people not written to exactly once", people - once, "", 0)
    result.add("failed tests of campaigns", int(done.returncode != 0), "", 0)
    result.add("failed tests of accounts", int(accounts.returncode != 0), "", 0)
    result.add("failed tests of outages longer than a lease", int(outages.returncode != 0), "", 0)
    result.add("failed tests of messages, commands and alerts", int(others.returncode != 0), "", 0)
    result.add("failpoints", failpoints)
    result.add("kills", kills, "", float(hits * failpoints), "more")
    result.add("seconds", seconds, "s")
    return result
