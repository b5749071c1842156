"""Metrics for Prometheus: the instance's figures, and each process's own, whichever process is asked.

Most is computed from PostgreSQL and so is the same from every web process. No label names a person, a chat or a
message.
"""

from backend.services.metrics.exposition import CONTENT_TYPE, render

__all__ = ["CONTENT_TYPE", "render"]
