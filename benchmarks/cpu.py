"""CPU time of whole process trees: what still runs, and what ended meanwhile and was collected by its parent."""

from __future__ import annotations

import os
from collections.abc import Iterable

import psutil


def seconds(roots: Iterable[int]) -> float:
    """User and system seconds that these processes and all their descendants have used so far.

    A process that is gone counts through its parent, once that has waited for it (on Linux).
    """
    return sum(_own(process) for process in _tree(roots))


def of_this_process() -> float:
    """User and system seconds that this process has used so far."""
    return sum(os.times()[:2])


def resident(roots: Iterable[int]) -> int:
    """Bytes of memory resident in these processes and their descendants; shared pages count in each."""
    total = 0
    for process in _tree(roots):
        try:
            total += process.memory_info().rss
        except psutil.NoSuchProcess:
            continue
    return total


def _tree(roots: Iterable[int]) -> set[psutil.Process]:
    processes: set[psutil.Process] = set()
    for pid in roots:
        try:
            root = psutil.Process(pid)
            processes |= {root, *root.children(recursive=True)}
        except psutil.NoSuchProcess:
            continue
    return processes


def _own(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    return float(times.user + times.system + times.children_user + times.children_system)
