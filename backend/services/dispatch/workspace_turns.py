"""Turns: while a sender has more due than may start, the workspaces that it serves are claimed for in turn.

A lane in which nothing waits for its turn is claimed in order of time. A sender that was given as much as it was
allowed has a backlog: then its workspaces with due rows are read now and then, and each claim takes from those whose
turn was longest ago.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from backend.services.dispatch.adaptive_interval import AdaptiveInterval
from backend.services.dispatch.claim_watermarks import PRIORITIES

_LOOK_SECONDS = 0.25


@dataclass(frozen=True, slots=True)
class WorkspaceTurn:
    """A workspace's turn in a lane: at most `most` operations of it; `place` orders the turns of a claim."""

    lane: int
    workspace_id: int
    place: int
    most: int


class WorkspaceTurns:
    """The workspaces that wait for their turn, of the senders that one process serves. Moments are monotonic times."""

    def __init__(self) -> None:
        self._saturated: set[int] = set()
        """Those that had a backlog at some time since their workspaces were last read."""
        self._short: set[int] = set()
        """Those whose turns did not fill the last claim: the next one goes in order of time."""
        self._waiting: dict[tuple[int, int], deque[int]] = {}
        self._look = AdaptiveInterval(_LOOK_SECONDS)

    def next(self, sender_id: int, budget: int) -> tuple[WorkspaceTurn, ...]:
        """The turns of a claim of `budget` operations; none in lanes that are claimed in order of time."""
        if sender_id in self._short:
            return ()
        turns: list[WorkspaceTurn] = []
        for lane in PRIORITIES:
            waiting = self._waiting.get((sender_id, lane))
            if not waiting:
                continue
            count = min(len(waiting), budget)
            most = -(-budget // count)
            turns += [WorkspaceTurn(lane, waiting[place], place, most) for place in range(count)]
            waiting.rotate(-count)
        return tuple(turns)

    def note_claim(self, sender_id: int, *, in_turn: bool, saturated: bool) -> None:
        """Notes whether the sender, claimed for in turn or in order of time, had more due than it was allowed."""
        if saturated:
            self._saturated.add(sender_id)
        if in_turn and not saturated:
            self._short.add(sender_id)
        else:
            self._short.discard(sender_id)

    def to_read(self, moment: float) -> list[int]:
        """The senders whose workspaces should be read now; those without a backlog since the last time have no turns
        any more."""
        if not (self._saturated or self._waiting) or not self._look.due(moment):
            return []
        for sender_id in {sender_id for sender_id, _ in self._waiting} - self._saturated:
            self.forget(sender_id)
        return sorted(self._saturated)

    def note(self, sender_ids: Iterable[int], due: Sequence[tuple[int, int, int]], begun: float, ended: float) -> None:
        """Notes who has something due (sender, lane, workspace), read from `begun` to `ended`.

        Those that were waiting keep their order; who is new has its turn before them.
        """
        self._look.looked(begun, ended)
        self._saturated.difference_update(sender_ids)
        by_lane: dict[tuple[int, int], dict[int, None]] = defaultdict(dict)
        for sender_id, lane, workspace_id in due:
            by_lane[sender_id, lane][workspace_id] = None
        for key in [(sender_id, lane) for sender_id in sender_ids for lane in PRIORITIES]:
            waiting = self._waiting.pop(key, ())
            # In the order in which they waited, without those that have nothing any more.
            kept = dict.fromkeys(workspace_id for workspace_id in waiting if workspace_id in by_lane[key])
            if by_lane[key]:
                self._waiting[key] = deque([*(new for new in by_lane[key] if new not in kept), *kept])

    def forget(self, sender_id: int) -> None:
        """Forgets a sender that has no backlog, or is no longer served."""
        self._saturated.discard(sender_id)
        self._short.discard(sender_id)
        for lane in PRIORITIES:
            self._waiting.pop((sender_id, lane), None)
