"""The scheduler: what a workspace has planned, and the instance's own jobs.

A feature registers a job once (`register` or `register_each`) and makes a schedule for each of its rows. The instance's
jobs are `SystemJob`s, registered with `register_system_job`.
"""

from backend.services.scheduling.claims import claim
from backend.services.scheduling.firing import LANE, carry_out_waiting, drain, run_now, waiting
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
from backend.services.scheduling.system_jobs import SystemJob, Turn, register_system_job, run_lane
from backend.services.scheduling.timing import Timing, check, last_fire, next_fire, next_fires

__all__ = [
    "LANE",
    "Fire",
    "SystemJob",
    "Timing",
    "Turn",
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
    "run_lane",
    "run_now",
    "waiting",
]
