"""Every feature that registers a job of a schedule or of the instance: imported here, so that each process knows all.

Whoever lists or runs jobs imports this module; a feature that registers one adds its line.
"""

from backend.services import column_encryption
from backend.services.automation_rules import rule_runs
from backend.services.bots import health
from backend.services.daily_summaries import jobs as daily_summaries
from backend.services.housekeeping import retention
from backend.services.posts import jobs as posts
from backend.services.scheduled_messages import sending

MODULES = (daily_summaries, health, posts, retention, rule_runs, sending, column_encryption)
