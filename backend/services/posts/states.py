"""What may be done with a post in which state: a table, and nothing else."""

from __future__ import annotations

from typing import Final, Literal

from backend.core.errors import Conflict

Action = Literal["change", "cancel", "retry", "resolve", "result"]

_MAY: Final[dict[Action, frozenset[str]]] = {
    "change": frozenset({"draft", "scheduled"}),
    "cancel": frozenset({"draft", "scheduled"}),
    # Of a post whose outcome is unknown only a person says that it may go out again: `resolve`.
    "retry": frozenset({"failed"}),
    "resolve": frozenset({"unknown"}),
    "result": frozenset({"publishing", "unknown"}),
}
ENDED: Final = frozenset({"published", "failed", "unknown", "canceled"})
"""States in which nothing happens by itself any more."""


WAITING: Final = ("draft", "scheduled", "publishing")
"""States of posts that are not over, which a workspace may have so many of (the cap `posts`)."""


def may(state: str, action: Action) -> bool:
    """Whether this can be done now."""
    return state in _MAY[action]


def require(state: str, action: Action) -> None:
    """Raises Conflict (`post_state`) where it cannot."""
    if not may(state, action):
        allowed = ", ".join(sorted(_MAY[action]))
        raise Conflict("post_state", f"The post is {state}; this needs one that is {allowed}.", detail={"state": state})
