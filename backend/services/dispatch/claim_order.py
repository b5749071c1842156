"""The order of claims: where each sender's lanes begin, the shares of the lower ones, and whose turn it is among
workspaces."""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import Engine

from backend.services.dispatch import claims
from backend.services.dispatch.claim_watermarks import ClaimWatermarks
from backend.services.dispatch.workspace_turns import WorkspaceTurns

# One in so many that a sender may start goes to the lane whatever waits in the higher ones; and how far its first turn
# has come already, so that where the budget is one at a time two lanes do not want the same one.
_BULK = (10, 0)
_NOTICES = (5, 2)


class ClaimOrder:
    """What the loop remembers between claims of the senders that it serves. Moments are monotonic times."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._watermarks = ClaimWatermarks()
        self._turns = WorkspaceTurns()
        self._shares: dict[int, dict[tuple[int, int], int]] = {}
        self._backlog_first = False
        self._is_full_scan = False

    def forget(self, sender_id: int) -> None:
        """Forgets a sender that is no longer served."""
        self._watermarks.forget(sender_id)
        self._turns.forget(sender_id)
        self._shares.pop(sender_id, None)

    def begin(self, moment: float) -> None:
        """Begins a claim: now and then one that reads the lanes from their beginning."""
        self._is_full_scan = self._watermarks.full_scan_due(moment)
        self._backlog_first = not self._backlog_first

    def request(self, sender_id: int, epoch: int, budget: int, quota_key: bytes | None) -> claims.ClaimRequest:
        """What to claim for one sender."""
        return claims.ClaimRequest(
            sender_id,
            epoch,
            budget,
            self._share_of(sender_id, _BULK, budget),
            self._share_of(sender_id, _NOTICES, budget),
            self._watermarks.of(sender_id),
            quota_key,
            self._turns.next(sender_id, budget),
            self._backlog_first,
        )

    def end(
        self, requests: Sequence[claims.ClaimRequest], saturated: Collection[int], now: datetime, moment: float
    ) -> bool:
        """Notes which senders have more due than a claim took; True where another should follow at once.

        Reads now and then where the lanes begin and who waits for a turn: not while the claim's locks are held.
        """
        again = False
        for request in requests:
            has_more = request.sender_id in saturated
            self._turns.note_claim(request.sender_id, in_turn=bool(request.turns), saturated=has_more)
            # The turns did not fill the budget: what is left over goes in order of time.
            again = again or bool(request.turns and not has_more)
        self._note_watermarks([request.sender_id for request in requests], now, moment)
        if self._is_full_scan:
            self._watermarks.record_full_scan(moment, time.monotonic())
        self._note_workspaces(now)
        return again

    def _share_of(self, sender_id: int, share: tuple[int, int], budget: int) -> int:
        """How much of a budget such a lane gets before the higher ones, also where the budget is one at a time."""
        one_in, begun = share
        shares = self._shares.setdefault(sender_id, {})
        places, shares[share] = divmod(shares.get(share, begun) + budget, one_in)
        return min(places, budget)

    def _note_watermarks(self, sender_ids: Sequence[int], now: datetime, moment: float) -> None:
        ids = self._watermarks.to_note(sender_ids, moment)
        if ids:
            floors = {sender_id: self._watermarks.of(sender_id) for sender_id in ids}
            with self._engine.connect() as connection:
                self._watermarks.note(ids, claims.oldest(connection, floors), now, moment)

    def _note_workspaces(self, now: datetime) -> None:
        begun = time.monotonic()
        ids = self._turns.to_read(begun)
        if ids:
            with self._engine.connect() as connection:
                due = claims.workspaces_with_due(connection, ids, now)
            self._turns.note(ids, due, begun, time.monotonic())
