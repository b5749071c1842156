"""How often somebody may sign in, register or call. Kept in Redis, and by each process alone while that is away.

Failed logins count by account *and* network, so that nobody's failures refuse somebody elsewhere. A device that signed
in before counts for itself. What guessers from many networks do together is slowed per account; that refuses neither a
known device nor a network from which the account has signed in.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from backend.core import clock, config
from backend.core.crypto import digest
from backend.core.errors import TooManyRequests
from backend.core.ratelimit import Decision, Limit, RateLimiter, parse

COST_REFUSED: Final = 1
"""Points of a call whose credentials are refused after they were checked."""
COST_LOOKUP: Final = 2
COST_WORK: Final = 5
"""Points of a call that hashes a password or sends a mail: 600 a minute from one network."""

_current: tuple[int, RateLimiter, dict[str, Limit]] | None = None


def _limiter() -> tuple[RateLimiter, dict[str, Limit]]:
    global _current
    settings = config.get()
    if _current is None or _current[0] != id(settings):
        limiter = RateLimiter.from_url(settings.redis_url, clock=clock.unix)
        _current = (id(settings), limiter, parse(settings.rate_limits))
    return _current[1], _current[2]


def count_call(caller: str, limit: str = "api", *, workspace_id: int | None = None) -> None:
    """Counts an API call of `caller` towards the limit of that name and its workspace's. Raises TooManyRequests."""
    limiter, limits = _limiter()
    wanted = [(f"{limit}:{caller}", limits[limit])]
    if workspace_id is not None:
        wanted.append((f"workspace_{limit}:{workspace_id}", limits[f"workspace_{limit}"]))
    _require(limiter.hit_all(wanted))


def count_registration(network: str) -> None:
    """Counts a registration from this network. Raises TooManyRequests."""
    _hit("register", network)


def count_anonymous(network: str, cost: int) -> None:
    """Counts a call without credentials, or with refused ones, by what it costs. Raises TooManyRequests."""
    _hit("anonymous", network, cost)


def may_reset(account: str) -> bool:
    """Counts a request for a reset link for this account; False when it has had enough of them."""
    limiter, limits = _limiter()
    return limiter.hit(f"reset:{account}", limits["reset"]).allowed


@dataclass(frozen=True, slots=True)
class Account:
    """What a login names: the address that was typed and, where there is one, the password's present hash.

    A password that is set again begins a new count: no failure against the old one refuses anybody.
    """

    email: str
    password_hash: str | None = None

    @property
    def key(self) -> str:
        """What its failures are counted under."""
        return f"{self.email}|{digest(self.password_hash or '').hex()[:16]}"


@dataclass(frozen=True, slots=True)
class CountedLogin:
    """A login that has been counted as if it failed, before its password is checked: parallel guesses count too."""

    own: str
    shared: tuple[str, ...] = ()

    def succeeded(self) -> None:
        """Forgets the failures of this place, and takes this one back where others count as well."""
        limiter, _ = _limiter()
        limiter.clear(self.own)
        self.take_back(self.shared)

    def abandoned(self) -> None:
        """Takes it back altogether: the password was not checked."""
        self.take_back((self.own, *self.shared))

    @staticmethod
    def take_back(keys: tuple[str, ...]) -> None:
        """Uncounts one try under each key."""
        limiter, _ = _limiter()
        for key in keys:
            limiter.take_back(key)


def count_login(
    account: Account, network: str, *, device: str | None, knows_network: Callable[[], bool]
) -> CountedLogin:
    """Counts a login. `device` is a device from which this account has signed in before.

    `knows_network` says whether it has from this network; it is asked only where the account is being guessed at from
    many places. Raises TooManyRequests, and has then counted nothing.
    """
    if device is not None:
        key = f"{account.key}|{device}"
        _hit("login", key)
        return CountedLogin(f"login:{key}")
    counted: list[str] = []
    try:
        for name, key in (("login", f"{account.key}|{network}"), ("login_address", network)):
            _hit(name, key)
            counted.append(f"{name}:{key}")
        try:
            _hit("login_account", account.key)
            counted.append(f"login_account:{account.key}")
        except TooManyRequests:
            if not knows_network():
                raise
    except TooManyRequests:
        CountedLogin.take_back(tuple(counted))
        raise
    return CountedLogin(counted[0], tuple(counted[1:]))


def count_password_check(user_id: int, sign_in_id: int | None) -> CountedLogin:
    """Counts a check of the present password by somebody who is signed in, for this sign-in. Raises TooManyRequests."""
    key = f"user:{user_id}|sign_in:{sign_in_id}"
    _hit("login", key)
    return CountedLogin(f"login:{key}")


def reset() -> None:
    """Forgets what this process has counted. For tests."""
    global _current
    _current = None


def _hit(name: str, key: str, cost: int = 1) -> None:
    limiter, limits = _limiter()
    _require(limiter.hit(f"{name}:{key}", limits[name], cost))


def _require(decision: Decision) -> None:
    if not decision.allowed:
        raise TooManyRequests(retry_after=decision.retry_after)
