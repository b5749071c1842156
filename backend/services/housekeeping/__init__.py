"""What keeps the product going by itself: the sweep repeats lost wake-ups, the tick starts what is due by time.

Every long-lived worker process tries both every two seconds; an advisory lock lets one do it.
"""

from backend.core.work import run_queue
from backend.services.housekeeping import declarations as declarations
from backend.services.housekeeping.retention import retain
from backend.services.housekeeping.scheduler_tick import tick
from backend.services.housekeeping.sweeper import SWEEP_SECONDS, sweep

__all__ = ["SWEEP_SECONDS", "retain", "run_queue", "sweep", "tick"]
