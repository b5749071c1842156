"""The connections of this process: one event loop in a thread of its own, with a task for each account under lease.

A connection exists exactly as long as its lease holds, by this process's own monotonic clock. Before a lease is given
back its connection is closed, so that no key is ever used from two places.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any, Final, TypeVar

from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from backend.channels.base import Operation, Receipt, SenderFacts
from backend.channels.errors import (
    ChannelError,
    OutcomeUnknown,
    RecipientUnreachable,
    Rejected,
    RetryLater,
    SenderDisabled,
)
from backend.channels.telegram_user.errors import RESTRICTED
from backend.channels.telegram_user.operations import NewerMessages, not_connected
from backend.core import clock
from backend.core.leases import Lease
from backend.core.logging import get_logger
from backend.core.queue import NudgeListener
from backend.services.sessions import storing
from backend.services.sessions.lookup_runs import LookupRuns
from backend.services.sessions.served_account import ServedAccount

log = get_logger(__name__)
Result = TypeVar("Result")
_LOOK_SECONDS: Final = 0.25
_WORK_SECONDS: Final = 2.0
"""Between two questions whether something is to be looked up."""
_OPERATION_SECONDS: Final = 60.0
_CLOSE_SECONDS: Final = 12.0
_SOON: Final = 1.0
_RESTRICTED_SECONDS: Final = 10.0
"""Its chat rests no longer, so that a person's own answer goes out; campaign messages wait for the account."""


class AccountHub:
    """Serves the accounts whose leases `held` gives. `commands` is run on the loop for as long as it runs,
    `on_end` is called when it ends."""

    def __init__(
        self,
        app_context: Callable[[], AbstractContextManager[object]],
        held: Callable[[], Mapping[int, Lease]],
        version: str,
        commands: Callable[[AccountHub], Awaitable[None]] | None = None,
        on_end: Callable[[], None] = lambda: None,
    ) -> None:
        self._app_context = app_context
        self._held = held
        self.version = version
        self._commands = commands
        self._on_end = on_end
        self.is_broken = False
        """Whether the loop ended by an unexpected error: the process is then better started again."""
        self._accounts: dict[int, ServedAccount] = {}
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._released: set[int] = set()
        self._lookups = LookupRuns(self.in_thread)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="accounts", daemon=True)
        self._stopping = asyncio.Event()
        self.nudged = asyncio.Event()
        self._listener = NudgeListener(self._on_nudge)

    def start(self) -> None:
        """Starts the loop's thread."""
        self._thread.start()
        self._listener.start()

    def is_alive(self) -> bool:
        """Whether the loop runs."""
        return self._thread.is_alive()

    def stop(self) -> None:
        """Closes every connection and ends the thread."""
        self._listener.stop()
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stopping.set)
            self._thread.join(_CLOSE_SECONDS)

    def _on_nudge(self) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self.nudged.set)

    async def in_thread(self, work: Callable[[], Result]) -> Result:
        """Runs a transaction in a thread."""
        return await asyncio.to_thread(storing.in_transaction, self._app_context, work)

    # --- what the dispatch loop asks, from its threads ---

    def release(self, sender_ids: Sequence[int]) -> None:
        """Closes these connections: their leases are about to be given back."""
        if self._thread.is_alive() and threading.current_thread() is not self._thread:
            future = asyncio.run_coroutine_threadsafe(self._drop(sender_ids), self._loop)
            try:
                future.result(_CLOSE_SECONDS)
            except concurrent.futures.TimeoutError:
                log.warning("connections_not_closed", count=len(sender_ids))

    def perform(self, session: str, op: Operation, *, deadline: float) -> Receipt:
        """Carries out one operation over the session's connection. Raises one of the five channel errors."""
        account = self._by_session(session)
        try:
            return self._perform(account, op, deadline)
        except ChannelError as error:
            self._note(account.served.sender_id, op, error)
            if op.looks_first and isinstance(error, Rejected) and error.code in RESTRICTED.values():
                # Nothing is wrong with the message: it waits until the account may write again.
                raise RetryLater(_RESTRICTED_SECONDS, error.code, scope="chat") from None
            raise

    def probe(self, session: str) -> SenderFacts:
        """Whose the session is: known since it was connected."""
        served = self._by_session(session).served
        return SenderFacts(str(served.self_id), None, "")

    def _perform(self, account: ServedAccount, op: Operation, deadline: float) -> Receipt:
        sender_id = account.served.sender_id
        if op.chat_id is None or not op.chat_id.isdigit():
            raise Rejected("not_supported")
        user_id, after_id = int(op.chat_id), int(op.after_id or 0)
        if op.looks_first and (pause := self._transaction(lambda: storing.campaigns_pause(sender_id))) is not None:
            raise RetryLater(_RESTRICTED_SECONDS, pause, scope="chat")
        if op.kind == "send":
            self._transaction(lambda: storing.note_used(sender_id))
        peer = self._transaction(lambda: storing.peer_of(sender_id, user_id, after_id))
        if peer is None:
            raise RecipientUnreachable("peer_invalid", disables_link=False)
        try:
            return self._wait(account.perform(op, peer), deadline)
        except NewerMessages as newer:
            projected = newer.projected
            if self._transaction(lambda: storing.store_newer(sender_id, projected, user_id)):
                raise RetryLater(_SOON, "catching_up", scope="chat") from None
        # All of it was processed before, and nothing of it forbade to write.
        return self._wait(account.perform(replace(op, looks_first=False), peer), deadline)

    def _by_session(self, session: str) -> ServedAccount:
        for account in list(self._accounts.values()):
            if account.served.session == session and account.is_ready and account.lease.holds():
                return account
        raise not_connected()

    def _wait(self, work: Coroutine[Any, Any, Receipt], deadline: float) -> Receipt:
        if time.monotonic() >= deadline:
            work.close()
            raise RetryLater(_SOON, "deadline_passed")
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result(_OPERATION_SECONDS)
        except NewerMessages:
            raise
        except (concurrent.futures.CancelledError, concurrent.futures.TimeoutError):
            future.cancel()
            raise OutcomeUnknown("connection_dropped") from None

    def _transaction(self, work: Callable[[], Result]) -> Result:
        """A transaction before anything is sent: while the database is away nothing is."""
        try:
            return storing.in_transaction(self._app_context, work)
        except (DBAPIError, PoolTimeout):
            raise RetryLater(_SOON, "not_connected") from None

    def _note(self, sender_id: int, op: Operation, error: ChannelError) -> None:
        """Tells the account's health what was refused."""
        value: dict[str, Any] = {}
        seconds = 0.0
        if isinstance(error, RetryLater):
            if error.code != "rate_limited" or error.scope != "sender":
                return
            code, seconds = "flood_wait", error.seconds
        elif (
            isinstance(error, SenderDisabled)
            or error.code in RESTRICTED.values()
            or (isinstance(error, RecipientUnreachable) and op.looks_first)
        ):
            code = error.code
        else:
            return
        try:
            storing.in_transaction(self._app_context, lambda: storing.signal(sender_id, code, seconds=seconds, **value))
        except (DBAPIError, PoolTimeout) as away:
            log.warning("signal_not_noted", sender_id=sender_id, code=code, error=type(away).__name__)

    # --- the loop ---

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._serve())
        except Exception as error:
            log.exception("accounts_defect", error=type(error).__name__)
            self.is_broken = True
        finally:
            self._on_end()
            self._loop.run_until_complete(self._loop.shutdown_default_executor())
            self._loop.close()

    async def _serve(self) -> None:
        commands = None if self._commands is None else asyncio.ensure_future(self._commands(self))
        looked = 0.0
        try:
            while not self._stopping.is_set():
                await self._follow_leases()
                if time.monotonic() - looked >= _WORK_SECONDS:
                    looked = time.monotonic()
                    await self._find_lookups()
                if commands is not None and commands.done():
                    commands.result()
                    return
                await asyncio.sleep(_LOOK_SECONDS)
        finally:
            if commands is not None:
                commands.cancel()
                await asyncio.gather(commands, return_exceptions=True)
            await self._drop(list(self._tasks))

    async def _follow_leases(self) -> None:
        """Begins to serve what is held, and ends what is not any more."""
        held = dict(self._held())
        self._released &= held.keys()
        gone = [sender_id for sender_id in self._tasks if sender_id not in held]
        done = [sender_id for sender_id, task in self._tasks.items() if task.done()]
        for sender_id in {*gone, *done}:
            await self._end(sender_id)
        for sender_id, lease in held.items():
            account = self._accounts.get(sender_id)
            if account is not None:
                account.lease = lease
            elif sender_id not in self._released:
                await self._begin(sender_id, lease)

    async def _begin(self, sender_id: int, lease: Lease) -> None:
        try:
            served = await self.in_thread(lambda: storing.read(sender_id))
        except (DBAPIError, PoolTimeout):
            return
        if served is None or not lease.holds():
            return
        account = ServedAccount(lease, served, self.version, self.in_thread)
        self._accounts[sender_id] = account
        self._tasks[sender_id] = asyncio.create_task(account.run(self._lookups.run))

    async def _drop(self, sender_ids: Sequence[int]) -> None:
        self._released |= set(sender_ids)
        await asyncio.gather(*(self._end(sender_id) for sender_id in sender_ids))

    async def _end(self, sender_id: int) -> None:
        task, account = self._tasks.pop(sender_id, None), self._accounts.pop(sender_id, None)
        if task is not None:
            if task.done() and not task.cancelled() and (defect := task.exception()) is not None:
                log.error("account_defect", sender_id=sender_id, error=type(defect).__name__, exc_info=defect)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        if account is not None:
            await account.close()

    async def _find_lookups(self) -> None:
        serving = [sender_id for sender_id, account in self._accounts.items() if account.is_ready]
        if not serving:
            return
        now = clock.now()
        try:
            waiting = await self.in_thread(lambda: self._lookups.waiting(serving, now))
        except (DBAPIError, PoolTimeout):
            return
        for sender_id in waiting:
            if (account := self._accounts.get(sender_id)) is not None:
                account.wake(has_lookups=True)
