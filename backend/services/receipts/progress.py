"""How far a message has come: an order of states, so that receipts give the same result in whatever order they come.

Pure functions. A failure may follow `accepted` and `sent`; what was delivered has not failed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from backend.channels.inbound import ReceiptState

RANKS: Final[dict[str, int]] = {
    "queued": 0,
    "canceled": 0,
    "unknown": 0,
    "accepted": 1,
    "sent": 2,
    "failed": 3,
    "delivered": 4,
    "read": 5,
    "played": 6,
}


def is_ahead(state: str, of: str | None) -> bool:
    """Whether a state is further than another; None is a part that was sent and of which nothing was reported."""
    return RANKS[state] > RANKS.get(of or "sent", 0)


def message_state(current: str, parts: Sequence[str | None], *, complete: bool) -> ReceiptState | None:
    """The state that a message moves on to by its parts' states; None where it stays as it is.

    It is as far as the part that is least far, and only once all parts are there (`complete`); one part that failed is
    the message's failure.
    """
    states = [state or "sent" for state in parts]
    if not states:
        return None
    least = min(states, key=lambda state: RANKS[state])
    reached = "failed" if "failed" in states else least
    if not complete and reached != "failed":
        return None
    return _STATES[reached] if is_ahead(reached, current) else None


_STATES: Final[dict[str, ReceiptState]] = {
    "accepted": "accepted",
    "sent": "sent",
    "delivered": "delivered",
    "read": "read",
    "played": "played",
    "failed": "failed",
}
