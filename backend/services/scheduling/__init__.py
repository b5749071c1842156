"""The scheduler: what a workspace has planned, and the instance's own jobs.

A feature registers a job once (`register` or `register_each`) and makes a schedule for each of its rows. The instance's
jobs are `SystemJob`s, registered with `register_system_job`.
"""

from backend.services.scheduling.claims import claim
from backend.services.scheduling.firing import LANE, WORK, carry_out_waiting, drain, run_now
from backend.services.scheduling.registry import Fire, register, register_each
from backend.services.scheduling.schedules import (
    change,
    create,
    get,
    history,
    of,
    pause,
    remove,
    resume,
)
from backend.services.scheduling.system_jobs import JobTurn, SystemJob, register_system_job
from backend.services.scheduling.timing import Timing, check, last_fire, next_fire, next_fires

__all__ = [
    "LANE",
    "WORK",
    "Fire",
    "JobTurn",
    "SystemJob",
    "Timing",
    "carry_out_waiting",
    "change",
    "check",
    "claim",
    "create",
    "drain",
    "get",
    "history",
    "last_fire",
    "next_fire",
    "next_fires",
    "of",
    "pause",
    "register",
    "register_each",
    "register_system_job",
    "remove",
    "resume",
    "run_now",
]
