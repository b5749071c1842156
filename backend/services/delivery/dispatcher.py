"""The dispatch loop: takes senders under lease, claims what may start now, and has a thread pool transmit it.

The loop wakes by a nudge, by the next pace token or due row, and each second anyway, so that it keeps sending while
Redis is away. Three more threads: one renews leases, one records outcomes (`recorder`), one hears the nudges.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from typing import BinaryIO

from sqlalchemy import Engine, select
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
from backend.services.delivery.pacing import SenderPace
from backend.services.delivery.recorder import Recorder
from backend.services.delivery.recording import Outcome
from backend.services.delivery.transmission import Served, limits_of, transmit

log = get_logger(__name__)
_LOOK_SECONDS = 1.0
_SHORTEST_WAIT = 0.01
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
        self._in_flight: dict[int, int] = {}
        self._unrecorded: dict[int, int] = {}
        self._leaving: set[int] = set()
        self._avoided: dict[int, float] = {}
        self._flying: set[int] = set()
        self._checked_at = 0.0
        self._looked_at = 0.0
        self._nudged = threading.Event()
        self._flight_lock = threading.Lock()
        self._wake = threading.Event()
        self._stop = threading.Event()
        self._ended = threading.Event()
        self._recorder = Recorder(app_context, self._recorded)
        self._pool = ThreadPoolExecutor(connections, thread_name_prefix="send")

    def run(self) -> None:
        """Runs until `stop`; then finishes what is in flight, records it, and gives its leases back.

        Raises RuntimeError when one of its threads ended by a defect: the process is then better started anew.
        """
        listener = NudgeListener(self._on_nudge)
        renewer = threading.Thread(target=self._renew_leases, name="renew", daemon=True)
        for thread in (listener, self._recorder, renewer):
            thread.start()
        try:
            while not self._stop.is_set():
                if not (renewer.is_alive() and self._recorder.is_alive()):
                    raise RuntimeError("a thread of the dispatch loop ended")
                self._wake.wait(self._turn())
                self._wake.clear()
        finally:
            # Leases are renewed until the last outcome is recorded: a successor must not take what is in flight.
            self._pool.shutdown(wait=True)
            self._recorder.finish()
            self._ended.set()
            listener.stop()
            renewer.join(RENEW_SECONDS)
            self._give_back(list(self._served))

    def stop(self) -> None:
        """Has `run` end; safe in a signal handler and from any thread."""
        self._stop.set()
        self._wake.set()

    def _turn(self) -> float:
        """One round; returns how many seconds nothing needs to be looked at."""
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
        for row in sorted(rows, key=lambda one: one.at):
            rates = limits_of(served.channel).for_chat(is_group=bool(row.is_group))
            served.pace.chat(row.chat_key, rates).used(time.monotonic() - (now - row.at).total_seconds())
        if rows:
            served.pace.rest(time.monotonic() + 0.05)

    def _forget(self, sender_id: int) -> None:
        self._leaving.discard(sender_id)
        self._served.pop(sender_id, None)
        self._used_at.pop(sender_id, None)

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
        cooling: dict[int, float] = {}
        waits: list[float] = []
        for sender_id, lease in self.keeper.held().items():
            served = self._served.get(sender_id)
            if served is None or sender_id in self._leaving:
                continue
            if lease.paused_until is not None and lease.paused_until > now:
                waits.append((lease.paused_until - now).total_seconds())
                continue
            free = self._free_connections(sender_id)
            budget = served.pace.budget(moment, free)
            cooling |= served.pace.cooling(moment)
            if budget > 0:
                wants.append(claiming.Want(sender_id, lease.epoch, budget, self._bulk_of(sender_id, budget)))
            elif free > 0:
                waits.append(served.pace.opens(moment) - moment)
        with self._engine.begin() as connection:
            claimed = claiming.claim(connection, wants, list(cooling), now)
        if claimed:
            failpoints.hit("delivery.claimed")
        full = self._submit(claimed, {want.sender_id: want.budget for want in wants})
        self._slot_backlogs(cooling, moment, now)
        if full:
            return 0.0
        waits += [opens - moment for opens in cooling.values()]
        return self._until_next(waits)

    def _free_connections(self, sender_id: int) -> int:
        """What this sender may still have in flight: a provider that hangs cannot take every thread."""
        with self._flight_lock:
            total = sum(self._in_flight.values())
            own = self._in_flight.get(sender_id, 0)
        most = self._connections if len(self._served) < 2 else max(1, self._connections * 3 // 4)
        return max(0, min(self._connections - total, most - own))

    def _bulk_of(self, sender_id: int, budget: int) -> int:
        """The share of a budget that bulk gets first: one in ten, also where the budget is one at a time."""
        turn = self._bulk_turn.get(sender_id, 0) + budget
        share, self._bulk_turn[sender_id] = divmod(turn, _BULK_SHARE)
        return min(share, budget)

    def _submit(self, claimed: list[claiming.Claimed], budgets: dict[int, int]) -> bool:
        """Hands claimed rows to the pool; True when some sender had as much to do as it was allowed."""
        moment = time.monotonic()
        counts: dict[int, int] = {}
        for row in claimed:
            counts[row.sender_id] = counts.get(row.sender_id, 0) + 1
            served = self._served[row.sender_id]
            served.pace.started(moment)
            self._used_at[row.sender_id] = moment
            self._flying.add(row.id)
            with self._flight_lock:
                self._in_flight[row.sender_id] = self._in_flight.get(row.sender_id, 0) + 1
                self._unrecorded[row.sender_id] = self._unrecorded.get(row.sender_id, 0) + 1
            self._pool.submit(self._transmit, served, row)
        return any(count >= budgets[sender_id] for sender_id, count in counts.items())

    def _transmit(self, served: Served, row: claiming.Claimed) -> None:
        outcome = transmit(served, row, self._open_file)
        if row.chat_key is not None:
            rates = limits_of(served.channel).for_chat(is_group=row.chat_kind not in (None, "private"))
            pace = served.pace.chat(row.chat_key, rates)
            pace.used(time.monotonic())
            if outcome.decision is not None and outcome.decision.rest_chat > 0:
                pace.rests_until = time.monotonic() + outcome.decision.rest_chat
        if outcome.decision is not None and outcome.decision.pause > 0:
            served.pace.rest(time.monotonic() + outcome.decision.pause)
        if outcome.decision is not None and outcome.decision.disables_sender:
            self._leaving.add(row.sender_id)
        with self._flight_lock:
            self._in_flight[row.sender_id] -= 1
        self._recorder.put(outcome)

    def _slot_backlogs(self, cooling: dict[int, float], moment: float, now: datetime) -> None:
        """Gives waiting rows of chats that rest their own moments, once, instead of passing over them each time."""
        chats = {
            key: (sender_id, pace)
            for sender_id, served in self._served.items()
            for key in cooling
            if (pace := served.pace.known(key)) is not None
        }
        if chats:
            with self._engine.begin() as connection:
                backlog.assign_slots(connection, chats, moment, now)

    def _until_next(self, waits: list[float]) -> float:
        held = list(self._served)
        with self._engine.connect() as connection:
            due = claiming.next_due(connection, held, clock.now()) if held else None
        if due is not None:
            waits = [*waits, (due - clock.now()).total_seconds()]
        # Pace tokens are collected for a moment: a turn that comes a little late starts several at once.
        return max(_SHORTEST_WAIT, min([_LOOK_SECONDS, *waits]))

    def _recorded(self, outcomes: list[Outcome]) -> None:
        """A batch has been recorded, or given up: its operations are no longer in flight."""
        self._flying.difference_update(one.claimed.id for one in outcomes)
        with self._flight_lock:
            for one in outcomes:
                self._unrecorded[one.claimed.sender_id] -= 1
        self._wake.set()
