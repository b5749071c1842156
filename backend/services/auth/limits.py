"""How often somebody may sign in, register or call. Kept in Redis, and by each process alone while that is away."""

from __future__ import annotations

from backend.core import clock, config
from backend.core.errors import TooManyRequests
from backend.core.ratelimit import Decision, Limit, RateLimiter, parse

_current: tuple[int, RateLimiter, dict[str, Limit]] | None = None


def _limiter() -> tuple[RateLimiter, dict[str, Limit]]:
    global _current
    settings = config.get()
    if _current is None or _current[0] != id(settings):
        limiter = RateLimiter.from_url(settings.redis_url, clock=clock.unix)
        _current = (id(settings), limiter, parse(settings.rate_limits))
    return _current[1], _current[2]


def count_call(caller: str, limit: str = "api") -> None:
    """Counts an API call of `caller` towards the limit of that name. Raises TooManyRequests."""
    _hit(limit, caller)


def count_registration(address: str) -> None:
    """Counts a registration, or another request that anybody may make, from `address`. Raises TooManyRequests."""
    _hit("register", address)


def count_login(email: str, address: str) -> None:
    """Counts a login before its password is checked, so that parallel guesses count too. Raises TooManyRequests."""
    _hit("login_address", address)
    _hit("login", email)


def login_succeeded(email: str, address: str) -> None:
    """Takes the counted login back, and with it the account's failures: only failed ones are limited."""
    limiter, _ = _limiter()
    limiter.take_back(f"login_address:{address}")
    limiter.clear(f"login:{email}")


def forgive(email: str) -> None:
    """Forgets an account's failed logins: its password has just been set anew."""
    limiter, _ = _limiter()
    limiter.clear(f"login:{email}")


def reset() -> None:
    """Forgets what this process has counted. For tests."""
    global _current
    _current = None


def _hit(name: str, key: str) -> None:
    limiter, limits = _limiter()
    decision: Decision = limiter.hit(f"{name}:{key}", limits[name])
    if not decision.allowed:
        raise TooManyRequests(retry_after=decision.retry_after)
