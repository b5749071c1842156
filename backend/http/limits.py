"""Which requests are counted, and under whose name."""

from __future__ import annotations

from flask import request

from backend.core.networks import network_of
from backend.services.auth import limits
from backend.services.auth.actor import Actor


def count_call(caller: Actor, limit: str = "api") -> None:
    """Counts the request for the person or token that makes it, and for their workspace. Raises TooManyRequests."""
    limits.count_call(caller.label, limit, workspace_id=caller.workspace_id)


def network() -> str:
    """The network that the request comes from, behind as many proxies as are trusted (`TRUSTED_PROXIES`)."""
    return network_of(request.remote_addr)


def count_refused_token() -> None:
    """Counts a request whose token was checked and refused, for its network. Raises TooManyRequests."""
    if "Authorization" in request.headers:
        limits.count_anonymous(network(), limits.COST_REFUSED)
