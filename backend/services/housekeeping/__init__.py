"""What keeps the product going by itself: the sweep repeats lost wake-ups, the tick starts what is due by time.

Every long-lived worker process tries both every two seconds; an advisory lock each lets one do it.
"""

from backend.core.database import db
from backend.core.work import run_queue
from backend.services.housekeeping import declarations as declarations
from backend.services.housekeeping import rounds
from backend.services.housekeeping.retention import retain

__all__ = ["retain", "rounds", "run_queue", "sweep", "tick"]


def sweep() -> bool:
    """Sweeps once, unless another process is sweeping: then False. Needs an app context."""
    return "sweep" in rounds.run_parts(["sweep"], db.engine)


def tick() -> bool:
    """Ticks once, unless another process is ticking: then False. Needs an app context."""
    return "tick" in rounds.run_parts(["tick"], db.engine)
