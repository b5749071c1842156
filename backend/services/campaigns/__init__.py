"""Campaigns: a personal message to each of many people from a person's own account, slowly, and exactly once.

`windows`, `pace` and `planner` are pure: the same plan is shown, simulated and carried out.
"""
