"""Alerts: what is wrong becomes one living message that people act on, until it is over.

`raise_wish` and `receive` take what is reported from outside, `raise_alert` what the product has to say itself; `press`
is a pressed button, `run_due` whatever happens by itself. What decides is pure (`keys`, `matching`, `timing`, `states`,
`wording`, `receivers`); everything else is rows in one transaction.
"""

from backend.services.alerts import failures as failures
from backend.services.alerts import health as health
from backend.services.alerts.buttons import press
from backend.services.alerts.history import By
from backend.services.alerts.raising import Wish, raise_alert, raise_wish
from backend.services.alerts.receiving import receive
from backend.services.alerts.reporting import Outcome
from backend.services.alerts.timers import run_due, waiting

__all__ = ["By", "Outcome", "Wish", "press", "raise_alert", "raise_wish", "receive", "run_due", "waiting"]
