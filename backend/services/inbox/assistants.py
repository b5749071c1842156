"""Where an assistant answers: asked when a conversation opens, and when one is handed back.

The inbox knows no assistant by itself. Whoever answers registers one function; without it every conversation is opened
for people.
"""

from __future__ import annotations

from collections.abc import Callable

Answers = Callable[[int, int], bool]
"""Whether an assistant answers what comes in: (workspace's id, sender's id). Asked often, inside of transactions: it
reads what it remembers, in the system scope at most one statement."""

_answers: list[Answers] = []


def register(answers: Answers) -> None:
    """Has this function say where an assistant answers, in the place of an earlier one."""
    _answers[:] = [answers]


def unregister() -> None:
    """Takes `register` back. For tests."""
    _answers.clear()


def answers(workspace_id: int, sender_id: int) -> bool:
    """Whether an assistant answers the conversations of this sender in this workspace."""
    return any(function(workspace_id, sender_id) for function in _answers)
