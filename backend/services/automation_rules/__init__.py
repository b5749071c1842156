"""Automation rules: posts that are made on a schedule, and one message about each run.

A run's posts are made in the transaction that fires the schedule; it is told in the one in which its last post ends.
"""

from backend.services.automation_rules.rule_runs import JOB
from backend.services.automation_rules.rules import (
    change,
    create,
    get,
    listing,
    remove,
    run_now,
    runs,
    schedule_of,
    schedules_of,
)

__all__ = ["JOB", "change", "create", "get", "listing", "remove", "run_now", "runs", "schedule_of", "schedules_of"]
