"""What follows from a signal of the provider: a pure function, with a table of cases in its tests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

LONG_WAIT: Final = timedelta(hours=1)
MANY_WAITS: Final = 3
WAITS_WITHIN: Final = timedelta(hours=24)
REST: Final = timedelta(hours=24)
STRICT_FOR: Final = timedelta(days=7)
"""How long an account is kept to the strict ceiling after such a rest."""

LIMITING: Final = frozenset({"peer_flood", "user_restricted"})
"""The account may not write to strangers any more; to whoever wrote first it may."""
LOGGED_OUT: Final = frozenset(
    {"logged_out", "session_revoked", "session_expired", "auth_key_duplicated", "account_deactivated", "account_banned"}
)


@dataclass(frozen=True, slots=True)
class Consequence:
    """What becomes of an account. `pauses` campaigns: until `pause_until`, or without it until a person decides."""

    state: str | None = None
    until: datetime | None = None
    pauses: bool = False
    pause_until: datetime | None = None
    strict_until: datetime | None = None
    lookups_until: datetime | None = None


def consequence(
    code: str, at: datetime, *, seconds: float = 0.0, on_lookup: bool = False, earlier_waits: Sequence[datetime] = ()
) -> Consequence:
    """The consequence of a signal. `seconds` is how long a flood wait lasts, `earlier_waits` when there were others on
    sending."""
    if code in LOGGED_OUT:
        return Consequence("needs_login")
    if code == "frozen":
        return Consequence("frozen", pauses=True)
    if code in LIMITING:
        return Consequence("limited", pauses=True)
    if code != "flood_wait":
        return Consequence()
    until = at + timedelta(seconds=seconds)
    if on_lookup:
        return Consequence(lookups_until=until)
    recent = sum(1 for moment in earlier_waits if at - moment < WAITS_WITHIN) + 1
    if until - at < LONG_WAIT and recent < MANY_WAITS:
        return Consequence("waiting", until=until)
    rest = max(until, at + REST)
    return Consequence("waiting", until=until, pauses=True, pause_until=rest, strict_until=rest + STRICT_FOR)
