"""Real servers for tests that need one of their own, to stop, kill or empty. The run's servers come from
`databases`.
"""

from __future__ import annotations

from embedded import EmbeddedPostgres, EmbeddedValkey

__all__ = ["EmbeddedPostgres", "EmbeddedValkey"]
