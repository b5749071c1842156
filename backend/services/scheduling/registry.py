"""What schedules can be for: each feature registers its job once.

A job is registered in one of two ways. `register(job, fire)`: `fire` gets a batch and writes the work's rows in the
very transaction that claims it. `register_each(job, carry_out)`: the fire itself is the row that is stored, and each
is carried out afterwards in a transaction of its own that also ends it. Either way a process may die at any point:
what was not committed is claimed again, and what was is not lost.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

LATEST: Final = timedelta(hours=48)
"""How late a fire may be, after a time in which nothing ran, unless its job says otherwise."""


@dataclass(frozen=True, slots=True)
class Fire:
    """One time that a schedule fires. `fire_at` is when it was due; `id` is unique for it, for keys of what follows."""

    id: int
    schedule_id: int
    workspace_id: int
    subject_id: int
    fire_at: datetime
    triggered_by: str | None = None


FireAll = Callable[[Sequence[Fire]], None]
CarryOut = Callable[[Fire], dict[str, Any] | None]


@dataclass(frozen=True, slots=True)
class Job:
    """What a job does with its fires: one of the two."""

    fire: FireAll | None
    carry_out: CarryOut | None
    latest: timedelta | None


_jobs: dict[str, Job] = {}


def register(job: str, fire: FireAll, *, latest: timedelta | None = LATEST) -> None:
    """Has `fire` called with the fires of `job`, up to 1,000 of any workspaces, in the transaction that claims them.

    It runs in the system scope and only writes rows, in as few statements as it can. When it raises, it is called again
    with one fire at a time, so that a bad one does not hold back the others; that one is recorded as failed. A fire
    later than `latest` is skipped; None: none is.
    """
    _jobs[job] = Job(fire, None, latest)


def register_each(job: str, carry_out: CarryOut, *, latest: timedelta | None = LATEST) -> None:
    """Has `carry_out` called for each fire of `job`, in its workspace's scope and in a transaction of its own.

    The transaction also ends the fire, with what it returned (ids, for the history). An AppError ends the fire as
    failed with its code, any other exception as `internal_error`; nothing that was written before it is kept.
    """
    _jobs[job] = Job(None, carry_out, latest)


def unregister(job: str) -> None:
    """Takes a registration back. For tests."""
    _jobs.pop(job, None)


def job_of(name: str) -> Job:
    """The job of this name; a KeyError is a defect."""
    return _jobs[name]


def names() -> list[str]:
    """The jobs this process knows."""
    return list(_jobs)


def names_of_each() -> list[str]:
    """Those whose fires are carried out one by one."""
    return [name for name, job in _jobs.items() if job.carry_out is not None]
