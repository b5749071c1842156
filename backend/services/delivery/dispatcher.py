"""The dispatch loop: takes senders under lease, claims what may be written within a tenth of a second, and has threads
transmit each operation at its moment (`starting`).

The loop wakes by a nudge, by the next moment of a pace or due row, and each second anyway, so that it keeps sending
while Redis is away. Three more threads: one renews leases, one records outcomes (`recorder`), one hears the nudges.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from typing import BinaryIO

from sqlalchemy import Connection, Engine, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from backend.channels import registry
from backend.channels.base import Credentials
from backend.core import clock, failpoints
from backend.core.database import db, system_scope
from backend.core.leases import RENEW_SECONDS, Lease, LeaseKeeper
from backend.core.logging import get_logger
from backend.core.queue import NudgeListener
from backend.models import Sender
from backend.services.delivery import backlog, claiming, recovery
from backend.services.delivery.decisions import Decision, Next
from backend.services.delivery.pacing import HORIZON, SenderPace
from backend.services.delivery.recorder import Recorder
from backend.services.delivery.recording import Outcome
from backend.services.delivery.starting import Planned, Starter
from backend.services.delivery.transmission import Served, limits_of, transmit

log = get_logger(__name__)
_LOOK_SECONDS = 1.0
_SHORTEST_WAIT = 0.004
"""Between two turns: nudges and finished operations that come at once share a claim."""
_SETTLE_SECONDS = 0.02
"""Between two turns when the second is only for what recorded outcomes may have let go on."""
_LEAD = 0.04
"""How long before a sender's next moment its operation is claimed."""
_IDLE_RELEASE_SECONDS = 10.0
_MEMORY_SECONDS = 61.0
_BULK_SHARE = 10
_AVOID_SECONDS = 60.0


class Dispatcher:
    """One process's loop. `connections` bounds what is in flight at once; `app_context` gives a database session."""

    def __init__(
        self,
        app_context: Callable[[], AbstractContextManager[object]],
        open_file: Callable[[str], BinaryIO],
        *,
        connections: int = 32,
    ) -> None:
        self._app_context = app_context
        self._open_file = open_file
        self._connections = connections
        with app_context():
            self._engine: Engine = db.engine
        self.keeper = LeaseKeeper(self._engine)
        self._served: dict[int, Served] = {}
        self._used_at: dict[int, float] = {}
        self._bulk_turn: dict[int, int] = {}
        self._unrecorded: dict[int, int] = {}
        self._leaving: set[int] = set()
        self._avoided: dict[int, float] = {}
        self._flying: set[int] = set()
        self._checked_at = 0.0
        self._looked_at = 0.0
        self._nudged = threading.Event()
        self._flight_lock = threading.Lock()
        self._wake = threading.Event()
        self._urgent = threading.Event()
        self._stop = threading.Event()
        self._ended = threading.Event()
        self._recorder = Recorder(app_context, self._recorded)
        self._starter = Starter(connections, self._transmit, self._give_row_back, self._hurry)
        self._slotted: set[int] = set()
        self._turned_at = 0.0
        self._first = 0

    def run(self) -> None:
        """Runs until `stop`; then finishes what is in flight, records it, and gives its leases back.

        Raises RuntimeError when one of its threads ended by a defect: the process is then better started anew.
        """
        listener = NudgeListener(self._on_nudge)
        renewer = threading.Thread(target=self._renew_leases, name="renew", daemon=True)
        for thread in (listener, self._recorder, renewer, self._starter):
            thread.start()
        try:
            while not self._stop.is_set():
                if self._starter.broken or not (renewer.is_alive() and self._recorder.is_alive()):
                    raise RuntimeError("a thread of the dispatch loop ended")
                self._wake.wait(self._turn())
                self._urgent.wait(max(0.0, self._turned_at + _SETTLE_SECONDS - time.monotonic()))
                self._stop.wait(max(0.0, self._turned_at + _SHORTEST_WAIT - time.monotonic()))
                self._wake.clear()
                self._urgent.clear()
        finally:
            # Leases are renewed until the last outcome is recorded: a successor must not take what is in flight.
            self._starter.finish()
            self._recorder.finish()
            self._ended.set()
            listener.stop()
            renewer.join(RENEW_SECONDS)
            self._give_back(list(self._served))

    def stop(self) -> None:
        """Has `run` end; safe in a signal handler and from any thread."""
        self._stop.set()
        self._hurry()

    def _turn(self) -> float:
        """One round; returns how many seconds nothing needs to be looked at."""
        self._turned_at = time.monotonic()
        try:
            with self._app_context():
                self._take_leases()
                self._settle_orphans()
                return self._claim_and_submit()
        except (DBAPIError, PoolTimeout) as error:
            log.warning("database_away", error=type(error).__name__)
            return _LOOK_SECONDS

    # --- leases ---

    def _take_leases(self) -> None:
        held = self.keeper.held()
        for sender_id in [one for one in self._served if one not in held]:
            self._forget(sender_id)
        moment = time.monotonic()
        if self._nudged.is_set() or moment - self._looked_at >= _LOOK_SECONDS:
            # Not at every turn: most turns only wait for the next pace token of a sender that is served already.
            self._nudged.clear()
            self._slotted.clear()
            self._looked_at = moment
            self._acquire(held, moment)
        for sender_id, lease in self.keeper.held().items():
            # Also one that ran out while the database was away and was renewed before anybody else took it.
            if sender_id not in self._served:
                self._begin_serving(lease)
        over = {one for one, used in self._used_at.items() if moment - used > _IDLE_RELEASE_SECONDS}
        self._give_back([one for one in over | self._leaving if not self._unrecorded.get(one)])

    def _acquire(self, held: Iterable[int], moment: float) -> None:
        """Takes the senders with work that nobody serves."""
        self._avoided = {one: until for one, until in self._avoided.items() if until > moment}
        with self._engine.connect() as connection:
            passed = [*held, *self._avoided]
            needed = claiming.senders_in_need(connection, passed, registry.names(), clock.now())
        self.keeper.acquire(needed)

    def _on_nudge(self) -> None:
        self._nudged.set()
        self._hurry()

    def _hurry(self) -> None:
        self._urgent.set()
        self._wake.set()

    def _begin_serving(self, lease: Lease) -> None:
        """Settles what is left of earlier holders and serves the sender; one that cannot be served ends no other's."""
        try:
            recovery.take_over(lease)
            self._serve(lease)
        except (DBAPIError, PoolTimeout):
            raise
        except Exception as error:
            db.session.rollback()
            log.exception("sender_defect", sender_id=lease.sender_id, error=type(error).__name__)
            self._avoided[lease.sender_id] = time.monotonic() + _AVOID_SECONDS
            self._give_back([lease.sender_id])

    def _settle_orphans(self) -> None:
        """Each second: rows that are `sending` under our leases though no thread of ours has them."""
        if time.monotonic() - self._checked_at < _LOOK_SECONDS:
            return
        self._checked_at = time.monotonic()
        leases = {one: lease for one, lease in self.keeper.held().items() if one in self._served}
        # Read before the query: only this thread adds to it, so a row that is claimed later cannot be in the answer.
        known = set(self._flying)
        with self._engine.connect() as connection:
            orphans = claiming.in_flight(connection, {one: lease.epoch for one, lease in leases.items()}) - known
        for lease in leases.values() if orphans else ():
            recovery.settle_orphans(lease, sorted(orphans))

    def _serve(self, lease: Lease) -> None:
        with system_scope("the dispatch loop serves all workspaces"):
            sender = db.session.execute(
                select(Sender).where(Sender.id == lease.sender_id).execution_options(populate_existing=True)
            ).scalar_one_or_none()
            usable = sender is not None and sender.is_active and sender.credentials is not None
            if sender is None or not usable:
                self._give_back([lease.sender_id])
                return
            channel = registry.get(sender.channel)
            pace = SenderPace(limits_of(channel).per_sender)
            credentials = Credentials(token=sender.credentials or "", external_id=sender.external_id)
            self._served[lease.sender_id] = Served(lease, sender.channel, credentials, sender.credentials_hash, pace)
            self._used_at[lease.sender_id] = time.monotonic()
            db.session.rollback()
        self._remember(lease.sender_id)

    def _remember(self, sender_id: int) -> None:
        """Fills the pace with what the sender's earlier holder did in the last minute."""
        served, now = self._served[sender_id], clock.now()
        with self._engine.connect() as connection:
            rows = claiming.recent_attempts(connection, [sender_id], now - timedelta(seconds=_MEMORY_SECONDS))
        writes: list[float] = []
        for row in sorted(rows, key=lambda one: one.at):
            rates = limits_of(served.channel).for_chat(is_group=bool(row.is_group))
            # Noted when it was claimed, and written within the horizon after that.
            at = time.monotonic() - max(0.0, (now - row.at).total_seconds()) + HORIZON
            writes.append(at)
            served.pace.used(row.chat_key, rates, at)
        served.pace.remember(writes)

    def _forget(self, sender_id: int) -> None:
        self._leaving.discard(sender_id)
        self._served.pop(sender_id, None)
        self._used_at.pop(sender_id, None)
        self._starter.forget(sender_id)

    def _give_back(self, sender_ids: list[int]) -> None:
        for sender_id in sender_ids:
            self._forget(sender_id)
        try:
            self.keeper.release(sender_ids)
        except DBAPIError as error:
            log.warning("lease_not_released", error=type(error).__name__)

    def _renew_leases(self) -> None:
        while not self._ended.wait(RENEW_SECONDS):
            try:
                self.keeper.renew()
                with self._app_context():
                    self._refresh_senders()
            except (DBAPIError, PoolTimeout) as error:
                log.warning("lease_not_renewed", error=type(error).__name__)

    def _refresh_senders(self) -> None:
        """Notices a token that was changed and a sender that was switched off."""
        served = dict(self._served)
        with system_scope("the dispatch loop serves all workspaces"):
            rows = db.session.execute(
                select(Sender.id, Sender.is_active, Sender.credentials_hash).where(Sender.id.in_(served))
            ).all()
            db.session.rollback()
        usable = {row.id: row.credentials_hash for row in rows if row.is_active}
        for sender_id, one in served.items():
            if sender_id not in usable or usable[sender_id] != one.credentials_hash:
                # Given back once what is in flight is recorded: a new epoch would make its outcome unknown.
                self._leaving.add(sender_id)

    # --- claiming ---

    def _claim_and_submit(self) -> float:
        now, moment = clock.now(), time.monotonic()
        wants: list[claiming.Want] = []
        moments: dict[int, list[float]] = {}
        cooling: dict[int, float] = {}
        waits: list[float] = []
        short_of_room: list[int] = []
        self._starter.share(len(self._served) > 1)
        room_left = self._connections * 2
        for sender_id, lease in self._in_turn():
            served = self._served[sender_id]
            if lease.paused_until is not None and lease.paused_until > now:
                waits.append((lease.paused_until - now).total_seconds())
                continue
            room = min(self._starter.room(sender_id), room_left)
            offered = served.pace.moments(moment, room)
            cooling |= served.pace.cooling(moment)
            if len(offered) >= room:
                short_of_room.append(sender_id)
            if offered:
                moments[sender_id] = offered
                room_left -= len(offered)
                wants.append(
                    claiming.Want(sender_id, lease.epoch, len(offered), self._bulk_of(sender_id, len(offered)))
                )
            elif room > 0:
                waits.append(served.pace.opens(moment) - moment - _LEAD)
        with self._engine.begin() as connection:
            claimed = claiming.claim(connection, wants, list(cooling), now)
            self._slot_backlogs(connection, cooling, moment, now)
            due = claiming.next_due(connection, list(self._served), now) if self._served else None
        if claimed:
            failpoints.hit("delivery.claimed")
        hungry = self._submit(claimed, moments)
        paced = [self._served[one].pace for one in hungry if one not in short_of_room]
        waits += [pace.opens(moment) - moment - _LEAD for pace in paced]
        crowded = [one for one in short_of_room if one in hungry or one not in moments]
        if crowded and self._starter.ask_for_room(crowded):
            return 0.0
        waits += [opens - moment for opens in cooling.values()]
        if due is not None:
            waits.append((due - clock.now()).total_seconds())
        return max(0.0, min([_LOOK_SECONDS, *waits]))

    def _in_turn(self) -> list[tuple[int, Lease]]:
        """The senders that are served, each time with another one first: room that is short goes round."""
        held = [(one, lease) for one, lease in self.keeper.held().items() if one in self._served]
        usable = [(one, lease) for one, lease in held if one not in self._leaving]
        self._first = (self._first + 1) % max(1, len(usable))
        return usable[self._first :] + usable[: self._first]

    def _bulk_of(self, sender_id: int, budget: int) -> int:
        """The share of a budget that bulk gets first: one in ten, also where the budget is one at a time."""
        turn = self._bulk_turn.get(sender_id, 0) + budget
        share, self._bulk_turn[sender_id] = divmod(turn, _BULK_SHARE)
        return min(share, budget)

    def _submit(self, claimed: list[claiming.Claimed], moments: dict[int, list[float]]) -> list[int]:
        """Has claimed rows begin at their moments; returns the senders that had as much to do as they were allowed."""
        rows: dict[int, list[claiming.Claimed]] = {}
        for row in claimed:
            rows.setdefault(row.sender_id, []).append(row)
            self._flying.add(row.id)
        now = time.monotonic()
        planned: list[Planned] = []
        for sender_id, mine in rows.items():
            served = self._served[sender_id]
            self._used_at[sender_id] = now
            starts = served.pace.take(moments[sender_id][: len(mine)], now)
            planned += [Planned(served, row, start) for row, start in zip(mine, starts, strict=True)]
            with self._flight_lock:
                self._unrecorded[sender_id] = self._unrecorded.get(sender_id, 0) + len(mine)
        self._starter.put(planned)
        return [one for one, mine in rows.items() if len(mine) >= len(moments[one])]

    def _transmit(self, planned: Planned) -> None:
        served, row = planned.served, planned.row
        outcome = transmit(served, row, planned.start, self._open_file)
        answered = time.monotonic()
        if row.chat_key is not None:
            rates = limits_of(served.channel).for_chat(is_group=row.chat_kind not in (None, "private"))
            rest = outcome.decision.rest_chat if outcome.decision is not None else 0.0
            served.pace.used(row.chat_key, rates, answered, rest=rest)
        if outcome.decision is not None and outcome.decision.pause > 0:
            served.pace.rest(answered + outcome.decision.pause)
            if outcome.decision.code == "rate_limited":
                served.pace.refused()
        if outcome.decision is not None and outcome.decision.disables_sender:
            self._leaving.add(row.sender_id)
        self._recorder.put(outcome)

    def _give_row_back(self, planned: Planned) -> None:
        """Its sender's connections were all taken: nothing was written, and it goes again."""
        self._recorder.put(Outcome(planned.row, decision=Decision(Next.AGAIN, "deadline_passed", "retry")))

    def _slot_backlogs(self, connection: Connection, cooling: dict[int, float], moment: float, now: datetime) -> None:
        """Gives waiting rows of chats that rest their own moments, once, instead of passing over them each time.

        A chat is looked at when it begins to rest, and again after a nudge or a second: something may have come.
        """
        unseen = cooling.keys() - self._slotted
        self._slotted = (self._slotted | unseen) & cooling.keys()
        chats = {
            key: (sender_id, pace)
            for sender_id, served in self._served.items()
            for key in unseen
            if (pace := served.pace.known(key)) is not None
        }
        if chats:
            backlog.assign_slots(connection, chats, moment, now)

    def _recorded(self, outcomes: list[Outcome]) -> None:
        """A batch has been recorded, or given up: its operations are no longer in flight."""
        self._flying.difference_update(one.claimed.id for one in outcomes)
        with self._flight_lock:
            for one in outcomes:
                self._unrecorded[one.claimed.sender_id] -= 1
        if any(self._lets_go_on(one) for one in outcomes):
            self._wake.set()

    def _lets_go_on(self, outcome: Outcome) -> bool:
        """Whether something may be due at once because of it: not where its chat has to rest first."""
        served = self._served.get(outcome.claimed.sender_id)
        if served is None or outcome.decision is not None or outcome.claimed.chat_key is None:
            return True
        pace = served.pace.known(outcome.claimed.chat_key)
        return pace is None or not pace.rates
