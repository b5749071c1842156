"""How the instance is: ready for work, and in figures."""

from backend.services.health.figures import Figures, gather
from backend.services.health.overview import Overview, overview
from backend.services.health.readiness import OLDEST, PARTS, Check, load, readiness, redis_check

__all__ = [
    "OLDEST",
    "PARTS",
    "Check",
    "Figures",
    "Overview",
    "gather",
    "load",
    "overview",
    "readiness",
    "redis_check",
]
