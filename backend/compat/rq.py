"""RQ: a worker that leaves signals alone and says which queue it serves next."""

from __future__ import annotations

from rq import Queue, SimpleWorker


class BareWorker(SimpleWorker):
    """RQ's worker without its signal handlers."""

    def _install_signal_handlers(self) -> None:
        """RQ's own handlers would replace those of the process."""

    @property
    def queues_in_turn(self) -> list[Queue]:
        """The queues in the order in which they are read."""
        return list(self._ordered_queues)

    @queues_in_turn.setter
    def queues_in_turn(self, queues: list[Queue]) -> None:
        self._ordered_queues = queues


def missing() -> list[str]:
    """The names that this module needs and RQ has not."""
    faults = [] if hasattr(SimpleWorker, "_install_signal_handlers") else ["Worker._install_signal_handlers"]
    if not any("_ordered_queues" in _names_in(base.__dict__.get("__init__")) for base in SimpleWorker.__mro__):
        faults.append("Worker._ordered_queues")
    return faults


def _names_in(function: object) -> tuple[str, ...]:
    """The names that a function uses; none for what is no function of Python."""
    code = getattr(function, "__code__", None)
    return () if code is None else code.co_names
