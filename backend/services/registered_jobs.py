"""Every feature that registers a job of a schedule or of the instance: imported here, so that each process knows all.

Whoever lists or runs jobs imports this module; a feature that registers one adds its line.
"""

from backend.services.bots import health
from backend.services.housekeeping import retention
from backend.services.scheduled_messages import saying

MODULES = (health, retention, saying)
