"""What passes by: told to those who listen at this moment, through Redis, and neither kept nor repeated.

For what is worthless a few seconds later: who writes, who looks. Ids only, as all live events.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

import redis

from backend.core import clock, queue
from backend.core.logging import get_logger
from backend.services.live.queries import Change

log = get_logger(__name__)

_CHANNEL: Final = "switchboard:passing"


def channel() -> str:
    """Where it is told. What Redis publishes is heard in all its databases, so the name holds the number: another
    installation may use the next one."""
    number = queue.connection().connection_pool.connection_kwargs.get("db") or 0
    return f"{_CHANNEL}:{number}"


def tell(workspace_id: int, topic: str, ids: Mapping[str, int], *, only_for: Sequence[int] | None = None) -> None:
    """Tells it at once, whatever becomes of the transaction; `only_for` are the people who may hear of it.

    Nothing happens while Redis is away.
    """
    event = {"workspace_id": workspace_id, "topic": topic, "ids": dict(ids), "at": clock.unix()}
    try:
        queue.connection().publish(channel(), json.dumps(event | {"only_for": only_for}, separators=(",", ":")))
    except redis.RedisError as error:
        log.info("passing_away", error=type(error).__name__)


def read(data: bytes) -> list[Change]:
    """What was told, once for each person who may hear of it; nothing for what cannot be read."""
    try:
        event = json.loads(data)
        people = [None] if event["only_for"] is None else event["only_for"]
        at = datetime.fromtimestamp(event["at"], UTC)
        return [Change(event["workspace_id"], event["topic"], person, event["ids"], at) for person in people]
    except (ValueError, TypeError, KeyError):
        return []


class Listener(queue.NudgeListener):
    """A thread that hands over what passes by; while Redis is away it tries again each second."""

    def __init__(self, hear: Callable[[list[Change]], None]) -> None:
        super().__init__(lambda: None, channel())
        self._hear = hear

    def heard(self, message: Mapping[str, object]) -> None:
        """Hands over one message."""
        data = message.get("data")
        if isinstance(data, bytes) and (changes := read(data)):
            self._hear(changes)
