"""Which requests are counted, and under whose name."""

from __future__ import annotations

from flask import request

from backend.services.auth import limits
from backend.services.auth.actor import Actor


def count_call(caller: Actor, limit: str = "api") -> None:
    """Counts the request for the person or token that makes it. Raises TooManyRequests."""
    limits.count_call(caller.label, limit)


def address() -> str:
    """Where the request comes from, behind as many proxies as are trusted."""
    return request.remote_addr or "unknown"
