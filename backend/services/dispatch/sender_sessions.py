"""Sender sessions: the senders that this process has under lease, with their pace and credentials.

A sender with work that nobody serves is taken, what earlier holders left is settled, and it is given back when it has
been idle, was switched off or got another token; never while an outcome of it is still to be recorded, because a new
epoch would make that outcome unknown.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Any, Final

from sqlalchemy import Engine, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from backend.channels import registry
from backend.core import clock
from backend.core.database import db, system_scope
from backend.core.leases import Lease, LeaseKeeper
from backend.core.logging import get_logger
from backend.models import Sender
from backend.services import senders
from backend.services.dispatch import claims, recovery
from backend.services.dispatch.kind_pace import KindPace
from backend.services.dispatch.outcomes import Outcome
from backend.services.dispatch.pace import HORIZON, SenderPace
from backend.services.dispatch.profile import BOTS, DispatchProfile
from backend.services.dispatch.transmission import SenderSession, limits_of

log = get_logger(__name__)
LOOK_SECONDS: Final = 1.0
_IDLE_RELEASE_SECONDS = 10.0
_MEMORY_SECONDS = 61.0
_AVOID_SECONDS = 60.0


class SenderSessions:
    """The senders of one process. `forget` is told of each that it no longer serves.

    `engine` is one of `core.database.for_loop`: it is asked each second.
    """

    def __init__(
        self,
        engine: Engine,
        app_context: Callable[[], AbstractContextManager[object]],
        forget: Callable[[int], None],
        keeper: LeaseKeeper,
        profile: DispatchProfile = BOTS,
    ) -> None:
        self.keeper = keeper
        self._profile = profile
        self.senders: dict[int, SenderSession] = {}
        self._engine = engine
        self._app_context = app_context
        self._on_forgotten = forget
        self._used_at: dict[int, float] = {}
        self._unrecorded: dict[int, int] = {}
        self._leaving: set[int] = set()
        self._avoided: dict[int, float] = {}
        self._flight_lock = threading.Lock()
        self._looked_at = float("-inf")
        self._first = 0
        self._ended = threading.Event()
        self._renewer = threading.Thread(target=self._renew_leases, name="renew", daemon=True)

    # --- what the loop asks ---

    def start(self) -> None:
        """Starts the thread that renews the leases."""
        self._renewer.start()

    def is_alive(self) -> bool:
        """Whether the leases are still renewed."""
        return self._renewer.is_alive()

    def finish(self) -> None:
        """Gives everything back; nothing may be in flight any more."""
        self._ended.set()
        self._renewer.join(self.keeper.terms.renew_every)
        self._release_leases(list(self.senders))

    def bring_up_to_date(self, *, look: bool) -> bool:
        """Takes and gives back leases; whether it looked for new work, as it does each second and when told to."""
        held = self.keeper.held()
        for sender_id in [sender_id for sender_id in self.senders if sender_id not in held]:
            self._forget(sender_id)
        moment = time.monotonic()
        # Not at every turn: most turns only wait for the next pace token of a sender that is served already.
        looked = look or moment - self._looked_at >= LOOK_SECONDS
        if looked:
            self._looked_at = moment
            self._acquire(held, moment)
        for sender_id, lease in self.keeper.held().items():
            # Also one that ran out while the database was away and was renewed before anybody else took it.
            if sender_id not in self.senders:
                self._begin_serving(lease)
        idle = {sender_id for sender_id, used in self._used_at.items() if moment - used > _IDLE_RELEASE_SECONDS}
        over = set() if self._profile.is_resident else idle
        self._release_leases([sender_id for sender_id in over | self._leaving if not self._unrecorded.get(sender_id)])
        return looked

    def in_turn(self) -> list[tuple[int, Lease]]:
        """The senders that are served, each time with another one first: room that is short goes round."""
        held = [(sender_id, lease) for sender_id, lease in self.keeper.held().items() if sender_id in self.senders]
        usable = [(sender_id, lease) for sender_id, lease in held if sender_id not in self._leaving]
        self._first = (self._first + 1) % max(1, len(usable))
        return usable[self._first :] + usable[: self._first]

    def leases(self) -> Mapping[int, Lease]:
        """The leases of the senders that are served."""
        return {sender_id: lease for sender_id, lease in self.keeper.held().items() if sender_id in self.senders}

    def began(self, sender_id: int, operations: int) -> None:
        """Counts so many more operations of a sender as in flight."""
        self._used_at[sender_id] = time.monotonic()
        with self._flight_lock:
            self._unrecorded[sender_id] = self._unrecorded.get(sender_id, 0) + operations

    def ended(self, outcomes: Iterable[Outcome]) -> None:
        """Counts these outcomes, recorded or given up, as no longer in flight."""
        with self._flight_lock:
            for outcome in outcomes:
                self._unrecorded[outcome.claimed.sender_id] -= 1

    def leave(self, sender_id: int) -> None:
        """Claims nothing more for it and gives it back once what is in flight is recorded."""
        self._leaving.add(sender_id)

    # --- taking and giving back ---

    def _acquire(self, held: Iterable[int], moment: float) -> None:
        """Takes the senders with work that nobody serves."""
        self.keeper.inherit()
        self._avoided = {sender_id: until for sender_id, until in self._avoided.items() if until > moment}
        with self._engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            passed = [*held, *self._avoided]
            channels = self._profile.channels()
            find = claims.unserved_residents if self._profile.is_resident else claims.unserved_senders
            needed = find(connection, passed, channels, clock.now())
        self.keeper.acquire(needed)

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
            self._release_leases([lease.sender_id])

    def _serve(self, lease: Lease) -> None:
        with system_scope("the dispatch loop serves all workspaces"):
            sender = db.session.execute(
                select(Sender).where(Sender.id == lease.sender_id).execution_options(populate_existing=True)
            ).scalar_one_or_none()
            usable = sender is not None and sender.is_active and sender.credentials is not None
            if sender is None or not usable:
                self._release_leases([lease.sender_id])
                return
            channel = registry.get(sender.channel)
            limits = limits_of(channel)
            pace = SenderPace(limits.per_sender)
            self.senders[lease.sender_id] = SenderSession(
                lease,
                sender.channel,
                senders.credentials_of(sender),
                _credentials_version(sender),
                pace,
                self._profile.quota_key(sender),
                KindPace(limits.per_kind) if limits.per_kind else None,
            )
            self._used_at[lease.sender_id] = time.monotonic()
            db.session.rollback()
        self._remember(lease.sender_id)

    def _remember(self, sender_id: int) -> None:
        """Fills the pace with what the sender's earlier holder did in the last minute."""
        session, now = self.senders[sender_id], clock.now()
        with self._engine.connect() as connection:
            rows = claims.recent_attempts(connection, [sender_id], now - timedelta(seconds=_MEMORY_SECONDS))
        writes: list[float] = []
        for row in sorted(rows, key=lambda attempt: attempt.at):
            rates = limits_of(session.channel).for_chat(is_group=bool(row.is_group))
            # Noted when it was claimed, and written within the horizon after that.
            at = time.monotonic() - max(0.0, (now - row.at).total_seconds()) + HORIZON
            writes.append(at)
            session.pace.used(row.chat_key, rates, at)
        session.pace.remember(writes)

    def _forget(self, sender_id: int) -> None:
        self._leaving.discard(sender_id)
        self.senders.pop(sender_id, None)
        self._used_at.pop(sender_id, None)
        self._on_forgotten(sender_id)

    def _release_leases(self, sender_ids: list[int]) -> None:
        for sender_id in sender_ids:
            self._forget(sender_id)
        if sender_ids:
            self._profile.before_release(sender_ids)
        try:
            self.keeper.release(sender_ids)
        except DBAPIError as error:
            log.warning("lease_not_released", error=type(error).__name__)

    # --- the thread that renews ---

    def _renew_leases(self) -> None:
        while not self._ended.wait(self.keeper.terms.renew_every):
            try:
                self.keeper.renew()
                with self._app_context():
                    self._refresh_senders()
            except (DBAPIError, PoolTimeout) as error:
                log.warning("lease_not_renewed", error=type(error).__name__)
            except Exception as error:
                # A lease that is not renewed runs out, which is safe; a thread that ends would end the process.
                log.exception("renew_defect", error=type(error).__name__)

    def _refresh_senders(self) -> None:
        """Notices a token or settings that were changed and a sender that was switched off."""
        sessions = dict(self.senders)
        if not sessions:
            return
        with system_scope("the dispatch loop serves all workspaces"):
            rows = db.session.execute(
                select(Sender.id, Sender.is_active, Sender.credentials_hash, Sender.settings_encrypted).where(
                    Sender.id.in_(sessions)
                )
            ).all()
            db.session.rollback()
        usable = {row.id: _credentials_version(row) for row in rows if row.is_active}
        for sender_id, session in sessions.items():
            if sender_id not in usable or usable[sender_id] != session.credentials_hash:
                self._leaving.add(sender_id)


def _credentials_version(row: Any) -> bytes:
    """Differs when a sender's token or settings have changed."""
    return (row.credentials_hash or b"") + (row.settings_encrypted or b"")
