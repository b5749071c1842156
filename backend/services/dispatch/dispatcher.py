"""The dispatch loop: takes senders under lease, claims what may be written within a tenth of a second, and has threads
transmit each operation at its slot (`executor`).

The loop wakes by a nudge, by the next moment of a pace or due row, and each second anyway, so that it keeps sending
while Redis is away. Three more threads: one renews leases, one records outcomes (`outcome_writer`), one
hears the nudges.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime
from typing import BinaryIO

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from backend.core import clock, failpoints
from backend.core.database import by_index, db, for_loop
from backend.core.leases import LeaseKeeper
from backend.core.logging import get_logger
from backend.core.queue import NudgeListener
from backend.services.dispatch import chat_slots, claims, recovery
from backend.services.dispatch.adaptive_interval import AdaptiveInterval
from backend.services.dispatch.claim_order import ClaimOrder
from backend.services.dispatch.executor import Planned
from backend.services.dispatch.outcome_writer import OutcomeWriter
from backend.services.dispatch.outcomes import Outcome
from backend.services.dispatch.profile import BOTS, DispatchProfile
from backend.services.dispatch.retry_policy import Decision, Next
from backend.services.dispatch.sender_sessions import LOOK_SECONDS, SenderSessions
from backend.services.dispatch.transmission import limits_of, transmit

log = get_logger(__name__)
_SHORTEST_WAIT = 0.004
"""Between two turns: nudges and finished operations that come at once share a claim."""
_SETTLE_SECONDS = 0.02
"""Between two turns when the second is only for what recorded outcomes may have let go on."""
_LEAD = 0.04
"""How long before a sender's next moment its operation is claimed."""


class Dispatcher:
    """One process's loop. `connections` bounds what is in flight at once; `app_context` gives a database session;
    `profile` says what it serves.

    `owner` names it as the holder of leases; `predecessor` names a process that has ended: its leases are free.
    """

    def __init__(
        self,
        app_context: Callable[[], AbstractContextManager[object]],
        open_file: Callable[[str], BinaryIO],
        *,
        profile: DispatchProfile = BOTS,
        connections: int = 32,
        owner: str | None = None,
        predecessor: str | None = None,
    ) -> None:
        self._app_context = app_context
        self._open_file = open_file
        self._connections = connections
        with app_context():
            self._engine: Engine = db.engine
        self._claims = by_index(self._engine)
        self._looks = for_loop(self._engine)
        self._executor = profile.executor(connections, self._transmit, self._requeue, self._wake_now)
        self._order = ClaimOrder(self._claims)
        self._sessions = SenderSessions(
            self._looks,
            app_context,
            self._forget,
            LeaseKeeper(self._engine, owner, predecessor, profile.lease),
            profile,
        )
        self._outcome_writer = OutcomeWriter(app_context, self._recorded)
        self._in_flight: set[int] = set()
        self._orphan_check = AdaptiveInterval(LOOK_SECONDS)
        self._nudged = threading.Event()
        self._wake = threading.Event()
        self._urgent = threading.Event()
        self._stop = threading.Event()
        self._slotted: set[int] = set()
        self._turned_at = 0.0

    @property
    def keeper(self) -> LeaseKeeper:
        """The leases of this process."""
        return self._sessions.keeper

    def run(self) -> None:
        """Runs until `stop`; then finishes what is in flight, records it, and gives its leases back.

        Raises RuntimeError when one of its threads ended by a defect: the process is then better started again.
        """
        listener = NudgeListener(self._on_nudge)
        for thread in (listener, self._outcome_writer, self._sessions, self._executor):
            thread.start()
        try:
            while not self._stop.is_set():
                if self._executor.broken or not (self._sessions.is_alive() and self._outcome_writer.is_alive()):
                    raise RuntimeError("a thread of the dispatch loop ended")
                self._wake.wait(self._turn())
                self._urgent.wait(max(0.0, self._turned_at + _SETTLE_SECONDS - time.monotonic()))
                self._stop.wait(max(0.0, self._turned_at + _SHORTEST_WAIT - time.monotonic()))
                self._wake.clear()
                self._urgent.clear()
        finally:
            # Leases are renewed until the last outcome is recorded: a successor must not take what is in flight.
            self._executor.finish()
            self._outcome_writer.finish()
            listener.stop()
            self._sessions.finish()
            self._claims.dispose()
            self._looks.dispose()

    def stop(self) -> None:
        """Has `run` end; safe in a signal handler and from any thread."""
        self._stop.set()
        self._wake_now()

    def _turn(self) -> float:
        """Runs one round and returns for how many seconds nothing needs to be done."""
        self._turned_at = time.monotonic()
        try:
            with self._app_context():
                self._take_leases()
                self._settle_orphans()
                return self._claim_and_submit()
        except (DBAPIError, PoolTimeout) as error:
            log.warning("database_away", error=type(error).__name__)
            return LOOK_SECONDS
        except Exception as error:
            # No file handles left, say. What was claimed and not begun is settled as an orphan.
            log.exception("dispatch_defect", error=type(error).__name__)
            self._stop.wait(LOOK_SECONDS)
            return LOOK_SECONDS

    def _take_leases(self) -> None:
        nudged = self._nudged.is_set()
        if nudged:
            self._nudged.clear()
        if self._sessions.bring_up_to_date(look=nudged):
            self._slotted.clear()

    def _forget(self, sender_id: int) -> None:
        self._executor.forget(sender_id)
        self._order.forget(sender_id)

    def _on_nudge(self) -> None:
        self._nudged.set()
        self._wake_now()

    def _wake_now(self) -> None:
        self._urgent.set()
        self._wake.set()

    def _settle_orphans(self) -> None:
        """Settles, each second, the rows that are `sending` under our leases without a thread of this process."""
        begun = time.monotonic()
        if not self._orphan_check.due(begun):
            return
        leases = self._sessions.leases()
        if not leases:
            return
        # Read before the query: only this thread adds to it, so a row that is claimed later cannot be in the answer.
        in_flight = set(self._in_flight)
        with self._engine.connect() as connection:
            orphans = (
                claims.in_flight(connection, {sender_id: lease.epoch for sender_id, lease in leases.items()})
                - in_flight
            )
        self._orphan_check.looked(begun, time.monotonic())
        for lease in leases.values() if orphans else ():
            recovery.settle_orphans(lease, sorted(orphans))

    # --- claiming ---

    def _claim_and_submit(self) -> float:
        now, moment = clock.now(), time.monotonic()
        requests: list[claims.ClaimRequest] = []
        slots: dict[int, list[float]] = {}
        throttled: dict[int, float] = {}
        waits: list[float] = []
        short_of_room: list[int] = []
        self._executor.share(len(self._sessions.senders) > 1)
        self._order.begin(moment)
        room_left = self._connections * 2
        for sender_id, lease in self._sessions.in_turn():
            session = self._sessions.senders[sender_id]
            if lease.paused_until is not None and lease.paused_until > now:
                waits.append((lease.paused_until - now).total_seconds())
                continue
            room = min(self._executor.room(sender_id), room_left)
            offered = session.pace.next_slots(moment, room)
            throttled |= session.pace.throttled_chats(moment)
            if len(offered) >= room:
                short_of_room.append(sender_id)
            if offered:
                slots[sender_id] = offered
                room_left -= len(offered)
                requests.append(self._order.request(sender_id, lease.epoch, len(offered), session.quota_key))
            elif room > 0:
                waits.append(session.pace.opens(moment) - moment - _LEAD)
        if not self._sessions.senders:
            # Nobody is served: the next look for work is at a nudge or after a second.
            return LOOK_SECONDS
        with self._claims.begin() as connection:
            claimed = claims.claim(connection, requests, list(throttled), now)
            self._slot_backlogs(connection, throttled, moment, now)
            due = claims.next_due(connection, list(self._sessions.senders), now)
        if claimed:
            failpoints.hit("delivery.claimed")
        saturated = self._submit(claimed, slots)
        if self._order.end(requests, saturated, now, moment):
            waits.append(0.0)
        paced = [self._sessions.senders[sender_id].pace for sender_id in saturated if sender_id not in short_of_room]
        waits += [pace.opens(moment) - moment - _LEAD for pace in paced]
        crowded = [sender_id for sender_id in short_of_room if sender_id in saturated or sender_id not in slots]
        if crowded and self._executor.request_room(crowded):
            return 0.0
        waits += [opens - moment for opens in throttled.values()]
        if due is not None:
            waits.append((due - clock.now()).total_seconds())
        return max(0.0, min([LOOK_SECONDS, *waits]))

    def _submit(self, claimed: list[claims.Claimed], slots: dict[int, list[float]]) -> list[int]:
        """Has claimed rows begin at their moments; returns the senders that had as much due as they were allowed."""
        rows: dict[int, list[claims.Claimed]] = {}
        for row in claimed:
            rows.setdefault(row.sender_id, []).append(row)
            self._in_flight.add(row.id)
        now = time.monotonic()
        planned: list[Planned] = []
        for sender_id, mine in rows.items():
            session = self._sessions.senders[sender_id]
            starts = session.pace.take(slots[sender_id][: len(mine)], now)
            planned += [Planned(session, row, start) for row, start in zip(mine, starts, strict=True)]
            self._sessions.began(sender_id, len(mine))
        self._executor.put(planned)
        # Not how many were taken: of a chat that has many due it is one at a time, and others wait behind these.
        return [sender_id for sender_id, mine in rows.items() if mine[0].candidates >= len(slots[sender_id])]

    def _transmit(self, planned: Planned) -> None:
        session, row = planned.session, planned.row
        outcome = transmit(session, row, planned.slot, self._open_file)
        answered = time.monotonic()
        if row.chat_key is not None:
            rates = limits_of(session.channel).for_chat(is_group=row.chat_kind not in (None, "private"))
            chat_pause = outcome.decision.chat_pause if outcome.decision is not None else 0.0
            session.pace.used(row.chat_key, rates, answered, pause=chat_pause)
        if outcome.decision is not None and outcome.decision.pause > 0:
            session.pace.pause(answered + outcome.decision.pause)
            if outcome.decision.code == "rate_limited":
                session.pace.refused()
        if outcome.decision is not None and outcome.decision.disables_sender:
            self._sessions.leave(row.sender_id)
        self._outcome_writer.put(outcome)

    def _requeue(self, planned: Planned) -> None:
        """Requeues an operation that found no free connection: nothing of it was written."""
        self._outcome_writer.put(Outcome(planned.row, decision=Decision(Next.AGAIN, "deadline_passed", "retry")))

    def _slot_backlogs(self, connection: Connection, throttled: dict[int, float], moment: float, now: datetime) -> None:
        """Assigns slots to the waiting rows of throttled chats, once, instead of passing over them each time.

        A chat is assigned slots when its pause begins, and again after a nudge or a second: something may have come.
        """
        unseen = throttled.keys() - self._slotted
        self._slotted = (self._slotted | unseen) & throttled.keys()
        chats = {
            key: (sender_id, pace)
            for sender_id, session in self._sessions.senders.items()
            for key in unseen
            if (pace := session.pace.known(key)) is not None
        }
        if chats:
            chat_slots.assign_slots(connection, chats, moment, now)

    def _recorded(self, outcomes: list[Outcome]) -> None:
        """Removes a batch that was recorded, or given up, from what is in flight."""
        self._in_flight.difference_update(outcome.claimed.id for outcome in outcomes)
        self._sessions.ended(outcomes)
        if any(self._unblocks(outcome) for outcome in outcomes):
            self._wake.set()

    def _unblocks(self, outcome: Outcome) -> bool:
        """Whether the outcome may let another operation start at once: not where its chat has to pause first."""
        session = self._sessions.senders.get(outcome.claimed.sender_id)
        if session is None or outcome.decision is not None or outcome.claimed.chat_key is None:
            return True
        pace = session.pace.known(outcome.claimed.chat_key)
        return pace is None or not pace.rates
