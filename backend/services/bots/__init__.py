"""A workspace's bots: which one a name means, the catalog, and bringing one into service.

Nothing is imported here: `source_order` alone serves `flask alert send`, which runs without a database and starts fast.
"""
