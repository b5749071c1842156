"""Campaigns: a personal message to each of many people from a person's own account, slowly, and exactly once.

`windows`, `pace` and `planner` are pure: the same plan is shown, simulated and carried out. `release` carries it out,
`outcomes` and `stop_rule` follow what comes of it.
"""

from backend.services.campaigns import account_removal as account_removal
from backend.services.campaigns import outcomes as outcomes
from backend.services.campaigns import release as release
from backend.services.campaigns import stop_rule as stop_rule
from backend.services.campaigns import subscribers as subscribers
