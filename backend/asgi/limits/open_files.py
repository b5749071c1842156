"""How many files and sockets this process may have open, and what that leaves for connections."""

from __future__ import annotations

import resource
from typing import Final

_RESERVED: Final = 256
"""Open files kept for everything that is no client: the database, Redis, providers, bodies on disk, logs. Where only
few may be open at all, five eighths of them."""
_MAX_CONNECTIONS: Final = 10_000
_MIN_CONNECTIONS: Final = 8
_MAX_OPEN: Final = 1 << 16
"""More is never needed, and some systems refuse an unlimited number."""


def raise_limit() -> int:
    """Raises the process's soft limit of open files to its hard limit; returns the limit that counts now."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    target = _MAX_OPEN if hard == resource.RLIM_INFINITY else min(hard, _MAX_OPEN)
    # macOS lists an unlimited hard limit and refuses more than the kernel's own, which a few halvings find.
    while soft != resource.RLIM_INFINITY and soft < target:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (target, hard))
            break
        except (ValueError, OSError):
            target //= 2
    return limit()


def limit() -> int:
    """How many files the process may have open."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return _MAX_OPEN if soft == resource.RLIM_INFINITY else soft


def max_connections(open_files: int) -> int:
    """How many clients may be connected to a process that may have so many files open.

    A fifth is left for those in the lane and those that are being refused.
    """
    reserved = min(_RESERVED, open_files * 5 // 8)
    return max(_MIN_CONNECTIONS, min(_MAX_CONNECTIONS, (open_files - reserved) * 4 // 5))
