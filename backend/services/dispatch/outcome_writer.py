"""The thread that records outcomes in batches, for as long as it takes the database to accept them."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager

from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from backend.core.logging import get_logger
from backend.services.dispatch.outcomes import Outcome, record, without_detail

log = get_logger(__name__)
_BATCH = 100
_RETRY_SECONDS = 0.5
_FINISH_SECONDS = 20.0
_GATHER_SECONDS = 0.015
"""Between two batches: what comes in quick succession shares a transaction, what comes alone does not wait."""


class OutcomeWriter:
    """Takes outcomes from any thread; tells `recorded` of each batch that is done with."""

    def __init__(
        self, app_context: Callable[[], AbstractContextManager[object]], recorded: Callable[[list[Outcome]], None]
    ) -> None:
        self._app_context = app_context
        self._recorded = recorded
        self._waiting: queue.SimpleQueue[Outcome | None] = queue.SimpleQueue()
        self._giving_up = threading.Event()
        self._thread = threading.Thread(target=self._run, name="record")

    def start(self) -> None:
        """Starts the thread."""
        self._thread.start()

    def is_alive(self) -> bool:
        """Whether the thread still runs."""
        return self._thread.is_alive()

    def put(self, outcome: Outcome) -> None:
        """Hands over an outcome."""
        self._waiting.put(outcome)

    def finish(self) -> None:
        """Records what was handed over and ends the thread; waits for a database that is away for 20 s at most."""
        self._waiting.put(None)
        self._thread.join(_FINISH_SECONDS)
        self._giving_up.set()
        self._thread.join()

    def _run(self) -> None:
        ending = False
        begun = 0.0
        while not ending:
            batch = [self._waiting.get()]
            if batch[0] is not None:
                self._giving_up.wait(max(0.0, begun + _GATHER_SECONDS - time.monotonic()))
            begun = time.monotonic()
            while len(batch) < _BATCH and not self._waiting.empty():
                batch.append(self._waiting.get())
            ending = None in batch
            outcomes = [outcome for outcome in batch if outcome is not None]
            if outcomes:
                self._record(outcomes)
                self._notify(outcomes)

    def _notify(self, outcomes: list[Outcome]) -> None:
        try:
            self._recorded(outcomes)
        except Exception as error:
            # The next batch has to be recorded all the same.
            log.exception("recorded_defect", error=type(error).__name__)

    def _record(self, outcomes: list[Outcome]) -> None:
        """Records until the database takes it; a batch that it refuses is recorded one by one, and one at its least.

        What cannot be recorded at all stays `sending` and is settled as an orphan, or by the next holder.
        """
        while True:
            try:
                with self._app_context():
                    record(outcomes)
                return
            except (OperationalError, PoolTimeout) as error:
                log.warning("database_away", error=type(error).__name__, outcomes=len(outcomes))
                if self._giving_up.wait(_RETRY_SECONDS):
                    return
            except Exception as error:
                log.exception("outcome_defect", error=type(error).__name__, outcomes=len(outcomes))
                if len(outcomes) > 1:
                    for outcome in outcomes:
                        self._record([outcome])
                    return
                least = without_detail(outcomes[0])
                if least == outcomes[0]:
                    return
                outcomes = [least]
