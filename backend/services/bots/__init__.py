"""A workspace's bots: which one a name means, what it says, and how it is looked after.

Nothing is imported here: `levels` alone serves `flask alert send`, which runs without a database and starts fast.
"""
