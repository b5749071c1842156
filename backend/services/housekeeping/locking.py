"""One process at a time, and a heartbeat: see `core.locking`, where features below this one find them too."""

from backend.core.locking import beat, only_one

__all__ = ["beat", "only_one"]
